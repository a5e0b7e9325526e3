import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { Effect, type Scope } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect, supervisedTransport } from "../../../promise/src/index.js"
import { folder } from "../../../testing/test/support/folder.js"
import { eventually, kill } from "../../../testing/test/support/Processes.js"
import * as Served from "../support/Served.js"
import { opened } from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

type Heard = { readonly progress: number; readonly message?: string | undefined }

type Call = (tool: string, onprogress: (heard: Heard) => void) => Promise<string>

type Open = (server: StdioFaultServer.Command) => Effect.Effect<Call, never, Scope.Scope>

const policy = {
  calls: { progressInterval: "200 ms" },
  reconnect: { initialDelay: "10 ms" },
  timeouts: { wait: "1 minute" }
} as const
/** No limit of a client is reached. */
const timeout = 120_000
const clientInfo = { name: "test", version: "1" }

const textOf = (result: unknown): string =>
  String((result as { readonly content?: ReadonlyArray<{ readonly text: string }> }).content?.[0]?.text)

const throughV1 = (client: Pick<ClientV1, "callTool">): Call => async (name, onprogress) =>
  textOf(await client.callTool({ name }, undefined, { onprogress, timeout }))

const facade: Open = (server) =>
  Effect.map(
    opened(() => connect({ ...server, ...policy } as never, { name: "o" }), (client) => client.close()),
    (client) => throughV1(client as never)
  )

const transport: Open = (server) =>
  Effect.map(
    opened(async () => {
      const client = new ClientV1(clientInfo)
      await client.connect(supervisedTransport({ ...server, ...policy } as never, { name: "o" }))
      return client
    }, (client) => client.close()),
    throughV1
  )

const wrapped = (era: "2025" | "2026"): Open => (server) =>
  Effect.gen(function*() {
    const host = yield* Wrapped.make(() => undefined, { policy, connector: StdioConnector.make(server) })
    if (era === "2025") yield* Effect.promise(() => host.initialize())
    const envelope = era === "2025" ? {} : {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": clientInfo,
      "io.modelcontextprotocol/clientCapabilities": {}
    }
    let last = 0
    return async (name, onprogress) => {
      const id = ++last
      const from = host.said.length
      const look = () => {
        const mine = host.said.slice(from).filter((one) => one.params?.["progressToken"] === `token-${id}`)
        for (const { params } of mine.slice(count)) onprogress(params as Heard)
        count = mine.length
        return host.said.find((one) => one.id === id && one.method === undefined)
      }
      let count = 0
      host.receive({ id, method: "tools/call", params: { name, _meta: { ...envelope, progressToken: `token-${id}` } } })
      const { error, result } = await host.until(look)
      if (error !== undefined) throw new Error(error.message)
      return textOf(result)
    }
  })

const serving = (server: StdioFaultServer.Command) =>
  Effect.gen(function*() {
    const servers = yield* ServerPool.make([{ id: "o", connector: StdioConnector.make(server), ...policy }])
    const bound = yield* Served.bind()
    return yield* Endpoint.serve({ ...bound, servers, introductionWait: 0 })
  }).pipe(Effect.orDie)

const served2025: Open = Effect.fnUntraced(function*(server) {
  const { url } = yield* serving(server)
  const { client } = yield* Served.connected(url)
  const call = throughV1(client)
  return (name, onprogress) => call(`o__${name}`, onprogress)
})

const served2026: Open = Effect.fnUntraced(function*(server) {
  const { url } = yield* serving(server)
  const client = yield* opened(async () => {
    const client = new ClientV2(clientInfo, { versionNegotiation: { mode: "auto" } })
    await client.connect(new HttpV2(new URL(url)))
    expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28")
    return client
  }, (client) => client.close())
  return async (name, onprogress) => textOf(await client.callTool({ name: `o__${name}` }, { onprogress, timeout }))
})

const gateFile = Effect.map(folder, (path) => {
  const file = join(path, "open")
  const open = () => writeFileSync(file, "")
  open()
  return { file, open, close: () => rmSync(file) }
})

const doors: ReadonlyArray<readonly [string, "2025" | "2026", Open]> = [
  ["connect", "2026", facade],
  ["the official Client over supervisedTransport", "2025", transport],
  ["wrap, for a host of 2026,", "2026", wrapped("2026")],
  ["serve, for a client of 2026,", "2025", served2026],
  ["connect", "2025", facade],
  ["wrap, for a host of 2025,", "2025", wrapped("2025")],
  ["serve, for a client of 2025,", "2026", served2025]
]

describe.concurrent.each(doors)("a long call through %s to a server of %s", (_, era, open) => {
  test.scopedLive("[G25:real] its caller hears that it runs while the server lives, nothing while it hangs, and that it is restarted", function*() {
    const gate = yield* gateFile
    const call = yield* open(StdioFaultServer.command({ era, startsAfter: gate.file }))
    const pid = Number(yield* Effect.promise(() => call("pid", () => undefined)))

    const heard: Array<Heard> = []
    let outcome: string | undefined
    const long = call("silent", (one) => void heard.push(one))
      .then(() => "answered", () => "failed")
      .then((ended) => outcome = ended)
    const runs = () => heard.filter(({ message }) => message?.startsWith("still running, ")).length
    yield* eventually(() => runs() >= 3 ? true : undefined)

    process.kill(pid, "SIGSTOP")
    // What the server has said before may come for a while.
    const isSilent = Effect.gen(function*() {
      const before = heard.length
      yield* Effect.sleep("1 second")
      return heard.length === before
    })
    yield* Effect.repeat(isSilent, { until: (yes) => yes })

    const runsBefore = runs()
    gate.close()
    kill(pid)
    const isRestarting = ({ message }: Heard) => /^(o|raw) is restarting( \(attempt \d+\))?$/.test(message ?? "")
    // The loss is known: the call has failed, or waits for what the next process says of its tool.
    yield* eventually(() => outcome !== undefined || heard.some(isRestarting) ? true : undefined)
    const waiting: Array<Heard> = []
    const next = call("pid", (one) => void waiting.push(one))
    yield* eventually(() => waiting.some(isRestarting) ? true : undefined)
    gate.open()
    expect(yield* Effect.promise(() => long)).toBe("failed")
    expect(runs()).toBe(runsBefore)
    const end = heard.length
    expect(Number(yield* Effect.promise(() => next))).not.toBe(pid)
    expect(heard).toHaveLength(end)
    for (const values of [heard, waiting].map((all) => all.map(({ progress }) => progress))) {
      expect(values).toEqual([...new Set(values)].toSorted((one, other) => one - other))
    }
  })
})
