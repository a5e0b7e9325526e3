import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { connect, supervisedTransport } from "../../../promise/src/index.js"
import { ask, serveHere, untilStatus } from "../support/Gateway.js"
import { fixture } from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"
import { assert, describe, test } from "../support/vitest.js"

const server = fixture("verdicts")
/** A probe fails before a stopped process is found out, so that its score falls. */
const options = { keepalive: { interval: "1 s", timeout: "1 s", suspectInterval: "1 s" } } as const

type Calls = Pick<Client, "callTool">

const pid = async (client: Calls, prefix = ""): Promise<number> => {
  const { content } = await client.callTool({ name: `${prefix}pid`, arguments: {} })
  return Number((content as ReadonlyArray<{ readonly text: string }>)[0]?.text)
}

type Door = { readonly call: () => Promise<number>; readonly score: () => Promise<number> }

const doors = Effect.gen(function*() {
  const served = yield* serveHere({
    shared: { ...server, lifeline: options },
    own: { ...server, lifeline: { ...options, sessions: "per-client" } }
  })
  const { base } = served
  const client = yield* TestClient.opened(() => connect(server, options), (client) => client.close())
  const transport = supervisedTransport(server, options)
  const official = yield* TestClient.opened(async () => {
    const official = new Client({ name: "test", version: "1" })
    await official.connect(transport as Transport)
    return official
  }, (official) => official.close())
  const remote = yield* TestClient.connect(`${base}/mcp`)
  const get = (path: string) => Effect.runPromise(Effect.map(ask(`${base}/api/servers/${path}`), ({ body }) => body))
  const all: Record<string, Door> = {
    connect: { call: () => pid(client), score: async () => client.status.healthScore },
    supervisedTransport: { call: () => pid(official), score: async () => transport.supervision!.status.healthScore },
    serve: { call: () => pid(remote, "shared__"), score: async () => (await get("shared")).healthScore },
    "serve, a server for each client": {
      call: () => pid(remote, "own__"),
      score: async () => (await get("own")).runtimes[0].healthScore
    }
  }
  return { ...served, client, supervision: () => transport.supervision!, all }
})

const shown = process.platform === "linux" ? describe : describe.skip

shown("the health score", () => {
  test.scopedLive("[H5:real H10:real] falls while a server stands still, and is good again after some answered calls, at every door that shows it", function*() {
    const { all, base, client, command, supervision } = yield* doors
    const each = <A>(use: (door: Door) => Promise<A>) => Effect.promise(() => Promise.all(Object.values(all).map(use)))
    yield* each(async ({ call, score }) => {
      process.kill(await call(), "SIGSTOP")
      while (await score() >= 0.7) await sleep(20)
    })
    const bad = yield* untilStatus(base, ({ healthScore }) => healthScore < 0.7, "shared")
    assert.strictEqual(bad.health, "UNHEALTHY")
    // One call after another, so that no heartbeat is due: each is skipped.
    yield* each(async ({ call, score }) => {
      while (await score() < 0.7) {
        await call().catch(() => {})
        await sleep(200)
      }
    })
    assert.isTrue(client.isHealthy())
    assert.isFalse(client.isHealthy(1.1))
    assert.isTrue(supervision().isHealthy())
    const { keepalive } = yield* untilStatus(base, ({ health }) => health === "CONNECTED", "shared")
    assert.deepStrictEqual(keepalive, { state: "running" })
    const metrics = yield* ask(`${base}/metrics`)
    const [, shown] = /^lifeline_backend_health_score\{lifeline_backend="shared"\} (.+)$/m.exec(metrics.body) ?? []
    assert.isAtLeast(Number(shown), 0.7)
    const { stdout } = yield* command("status", "shared", "--url", base)
    assert.match(stdout, /shared .* (0\.[789]\d|1\.00) /)
    assert.include(stdout, "keepalive is running")
  })
})
