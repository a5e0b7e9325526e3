import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { connectAll, type FleetConfig } from "../../../promise/src/index.js"
import { serveHere } from "../support/Gateway.js"
import { fixture } from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"

const good = fixture("verdicts")
const silent = (seconds: number) => ({
  command: process.execPath,
  args: ["-e", `setTimeout(() => process.exit(), ${seconds}000)`]
})

const lifeline = { timeouts: { connect: "2 minutes", wait: "2 minutes" } }
const perClient = { lifeline: { sessions: "per-client" } } as const

/** What the server was, and what is saved while a call waits for it; the last of them is good. */
const edits: ReadonlyArray<readonly [string, ReadonlyArray<object>]> = [
  ["does not answer yet", [silent(600), good]],
  ["exits each time that it is started", [{ command: process.execPath, args: ["-e", "process.exit(1)"] }, good]],
  ["is one for all clients, and then one for each", [silent(600), { ...good, ...perClient }]],
  ["is one for each client, and then one for all", [{ ...silent(600), ...perClient }, good]],
  ["is edited twice", [silent(600), silent(601), good]]
]

type Call = () => Promise<object>

/** A door: opens it with a first configuration; then calls, and saves others. */
type Door = (
  first: object,
  use: (call: Call, save: (server: object) => Promise<void>) => Promise<void>
) => Promise<void>

const served = (more: object): Door => (first, use) =>
  Effect.gen(function*() {
    const { base, file } = yield* serveHere({ s: { ...first, ...more } })
    const client = yield* TestClient.connect(`${base}/mcp`)
    yield* Effect.promise(() =>
      use(() => client.callTool({ name: "s__pid", arguments: {} }), async (server) =>
        writeFileSync(file, JSON.stringify({ mcpServers: { s: { ...server, ...more } }, lifeline })))
    )
  }).pipe(Effect.scoped, Effect.runPromise)

const doors: Readonly<Record<string, Door>> = {
  serve: served({}),
  "serve, a server for each client": served(perClient),
  connectAll: async (first, use) => {
    const config = (s: object) => ({ mcpServers: { s }, lifeline }) as FleetConfig
    await using fleet = await connectAll(config(first))
    await use(
      () => fleet.callTool({ name: "s__pid", arguments: {} }),
      async (server) => void (await fleet.apply(config(server)))
    )
  }
}

describe.concurrent.each(Object.entries(doors))("a call that waits, %s", (_, open) => {
  it.each(edits)(
    "[C20:real] for a server that %s goes to that of the last configuration",
    async (_, [first, ...then]) =>
      open(first!, async (call, save) => {
        const answer = call()
        answer.catch(() => {})
        for (const server of then) {
          // By then it waits; and a save is read after a moment: those that follow at once are read as one.
          await sleep(1500)
          void save(server).catch(() => {})
        }
        expect((await answer as { readonly content: unknown }).content)
          .toEqual([{ type: "text", text: expect.stringMatching(/^\d+$/) }])
      }),
    120_000
  )
})
