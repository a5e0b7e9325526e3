import { describe, expect, it } from "@effect/vitest"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { Effect, Either, type Scope } from "effect"
import { Backends, Endpoint, McpJson, ServerPool } from "mcp-lifeline"
import { afterAll, beforeAll } from "vitest"
import { connect, connectAll, supervisedTransport } from "../../../promise/src/index.js"
import * as UsageSampler from "../../../transport-stdio/src/UsageSampler.js"
import * as Server from "../../src/wrap/Server.js"
import { wrapOf } from "../support/arguments.js"
import * as Served from "../support/Served.js"
import * as Wrapped from "../support/Wrapped.js"

const { times } = UsageSampler.shared
beforeAll(() => {
  UsageSampler.shared.times = { first: 10, limited: 50, unlimited: 60_000, atMost: 1 }
})
afterAll(() => {
  UsageSampler.shared.times = times
})

type Call = (name: string, args?: Record<string, unknown>) => Promise<string>

type Open = (server: StdioFaultServer.Command) => Effect.Effect<Call, never, Scope.Scope>

const entryOf = (server: StdioFaultServer.Command) => ({
  ...server,
  maxMemory: "100 MB",
  stdio: { stdinGrace: 0 },
  timeouts: { wait: "1 minute" }
} as const)

const textOf = (result: unknown): string =>
  String((result as { readonly content?: ReadonlyArray<{ readonly text: string }> }).content?.[0]?.text)

const opened = <A>(open: () => Promise<A>, close: (opened: A) => Promise<unknown>) =>
  Effect.acquireRelease(Effect.promise(open), (opened) => Effect.promise(() => close(opened)))

const through = (client: Pick<Client, "callTool">, prefix = ""): Call => async (name, args = {}) =>
  textOf(await client.callTool({ name: `${prefix}${name}`, arguments: args }, undefined, { timeout: 120_000 }))

const facade: Open = (server) =>
  Effect.map(opened(() => connect(entryOf(server)), (client) => client.close()), (client) => through(client as never))

const fleet: Open = (server) =>
  Effect.map(
    opened(() => connectAll({ mcpServers: { o: entryOf(server) } }), (fleet) => fleet.close()),
    (fleet): Call => async (name, args = {}) => textOf(await fleet.callTool({ name: `o__${name}`, arguments: args }))
  )

const transport: Open = (server) =>
  Effect.map(
    opened(async () => {
      const client = new Client({ name: "test", version: "1" })
      await client.connect(supervisedTransport(entryOf(server)) as never)
      return client
    }, (client) => client.close()),
    through
  )

const wrapped: Open = ({ args, command }) =>
  Effect.gen(function*() {
    const wrap = wrapOf("--max-memory", "100MB", "--", command, ...args)
    // Nothing is read from the state folder for a command.
    const { connector } = yield* Server.make(wrap, () => {}) as Effect.Effect<Server.Server, never, Scope.Scope>
    const host = yield* Wrapped.make(() => undefined, { connector, policy: { timeouts: { wait: "1 minute" } } })
    yield* Effect.promise(() => host.initialize())
    let last = 0
    return async (name, args = {}) => {
      const id = `call ${++last}`
      host.receive({ id, method: "tools/call", params: { name, arguments: args } } as never)
      const { error, result } = await host.until(() => host.said.find((one) => String(one.id) === id))
      if (error !== undefined) throw new Error(error.message)
      return textOf(result)
    }
  })

const served: Open = (server) =>
  Effect.gen(function*() {
    const source = JSON.stringify({ mcpServers: { o: entryOf(server) } })
    const { entries, problems } = Either.getOrThrow(McpJson.parse("mcp.json", source, {}))
    expect(problems).toEqual([])
    const servers = yield* ServerPool.make(Backends.fromEntries(entries, "/").backends)
    const bound = yield* Served.bind()
    const { url } = yield* Endpoint.serve({ ...bound, servers, introductionWait: 0 })
    const { client } = yield* Served.connected(url)
    return through(client, "o__")
  }).pipe(Effect.orDie)

const doors: ReadonlyArray<readonly [string, "2025" | "2026", Open]> = [
  ["connect", "2025", facade],
  ["connectAll", "2026", fleet],
  ["supervisedTransport", "2025", transport],
  ["wrap --max-memory", "2026", wrapped],
  ["serve", "2025", served]
]

describe.skipIf(process.platform === "win32").each(doors)("the memory of a server of %s", (_, era, open) => {
  it.scopedLive(`[S13:real] is limited; no call fails because of the restart: ${era}`, () =>
    Effect.gen(function*() {
      const call = yield* open(StdioFaultServer.command({ era }))
      const pid = yield* Effect.promise(() => call("pid"))
      expect(yield* Effect.promise(() => call("allocate", { megabytes: 120 }))).toBe("allocated")
      const next = yield* Effect.promise(() => call("pid")).pipe(
        Effect.delay("20 millis"),
        Effect.repeat({ until: (now) => now !== pid })
      )
      expect(Number(next)).toBeGreaterThan(0)
    }))
})
