import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import type { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import * as Impatience from "../../../testing/test/support/Impatience.js"
import { ask, isConnected, serveHere, untilStatus } from "../support/Gateway.js"
import { type Host, stateFolder, wrap } from "../support/Host.js"
import * as TestClient from "../support/TestClient.js"

const { patience, unlessImpatient } = Impatience

/** Over HTTP, what gives a call up may be overtaken by the client's next call on another connection. That one is lost with the server then. */
const isOvertaking = (error: unknown): boolean => /result is unknown/.test(String(error))

const official = (client: Client, prefix = ""): Impatience.Caller => ({
  call: (name) =>
    unlessImpatient(client.callTool({ name: `${prefix}${name}` }, undefined, { timeout: patience }), isOvertaking)
})

const served = (
  server: Impatience.Server,
  use: (gateway: { readonly base: string; readonly givenUp: () => Promise<number> }) => Promise<void>
): Promise<void> =>
  Effect.gen(function*() {
    const { base } = yield* serveHere({ s: { ...server, lifeline: Impatience.settings } })
    yield* untilStatus(base, isConnected, "s")
    const status = Effect.map(ask(`${base}/api/status`), ({ body }) => body.servers[0]?.calls.givenUp ?? 0)
    yield* Effect.promise(() => use({ base, givenUp: () => Effect.runPromise(status) }))
  }).pipe(Effect.scoped, Effect.runPromise)

const overHttpV2 = async (url: string): Promise<ClientV2> => {
  const client = new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } })
  await client.connect(new HttpV2(new URL(url)))
  return client
}

const officialV2 = (client: ClientV2, prefix = ""): Impatience.Caller => ({
  call: (name) => unlessImpatient(client.callTool({ name: `${prefix}${name}` }, { timeout: patience }), isOvertaking)
})

const raw = async (host: Host, name: string): Promise<string | undefined> => {
  const id = `${name} ${performance.now()}`
  const answer = host.request("tools/call", { name, arguments: {} }, id)
  const response = await Promise.race([answer, Impatience.impatience()])
  if (response === undefined) host.notify("notifications/cancelled", { requestId: id, reason: "timed out" })
  if (response?.error !== undefined) throw new Error(response.error.message)
  return response && Impatience.textOf(response.result)
}

const doors: Readonly<Record<string, Impatience.Door>> = {
  "wrap": async (server, use) => {
    using state = stateFolder()
    await using host = wrap([...Impatience.asArguments, ...Impatience.lastArguments(server)], { state: state.path })
    await host.initialize()
    await use({ call: (name) => raw(host, name) })
  },
  "serve": (server, use) =>
    served(server, async ({ base, givenUp }) => {
      const client = await TestClient.open(`${base}/mcp`)
      await use({ ...official(client, "s__"), givenUp })
      await client.close()
    }),
  "serve, a client of 2026-07-28": (server, use) =>
    served(server, async ({ base, givenUp }) => {
      const client = await overHttpV2(`${base}/mcp`)
      await use({ ...officialV2(client, "s__"), givenUp })
      await client.close()
    }),
  "serve, where the connection of each call is closed": (server, use) =>
    served(server, async ({ base }) => {
      const client = await TestClient.open(`${base}/mcp`)
      const { sessionId = "" } = client.transport as StreamableHTTPClientTransport
      let calls = 0
      await use({
        call: (name) => {
          const answered = fetch(`${base}/mcp`, {
            method: "POST",
            headers: {
              "accept": "application/json, text/event-stream",
              "content-type": "application/json",
              "mcp-session-id": sessionId
            },
            body: JSON.stringify({
              jsonrpc: "2.0",
              id: `call ${++calls}`,
              method: "tools/call",
              params: { name: `s__${name}`, arguments: {} }
            }),
            signal: AbortSignal.timeout(patience)
          }).then(async (response) => {
            const { error, result } = JSON.parse(/\{.*"(result|error)".*/.exec(await response.text())?.[0] ?? "")
            if (error !== undefined) throw new Error(error.message)
            return result
          })
          return unlessImpatient(answered, isOvertaking)
        }
      })
      await client.close()
    }),
  "serve, the call of its API": (server, use) =>
    served(server, ({ base, givenUp }) =>
      use({
        call: (name) =>
          unlessImpatient(
            fetch(`${base}/api/call`, {
              method: "POST",
              headers: { "content-type": "application/json", "x-lifeline": "1" },
              body: JSON.stringify({ name: `s__${name}` }),
              signal: AbortSignal.timeout(patience)
            }).then(async (response) => {
              if (!response.ok) throw new Error(await response.text())
              return response.json()
            }),
            isOvertaking
          ),
        givenUp
      }))
}

/** Each door over both wires, and each server behind every other door; where everything is run, all of them. */
const pairs = Impatience.servers.map(([wire, era], index) => ({
  wire,
  era,
  met: Object.entries(doors).filter((_, door) => (index + door) % 2 === 0)
}))

describe.concurrent.each(pairs)("a server over $wire, of $era, that stops under a call", ({ era, met, wire }) => {
  it.each(met)("[H9:real] is replaced when its callers give up: %s", async (_, door) => {
    assert.isTrue(await Impatience.isReplaced(door, wire, era))
  })
})
