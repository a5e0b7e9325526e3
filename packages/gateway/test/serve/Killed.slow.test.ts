import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect, Fiber, Ref } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import * as Program from "../support/Program.js"
import { clients, type Unaware } from "../support/Unaware.js"
import { describe, expect, test } from "../support/vitest.js"

const crowd = fileURLToPath(new URL("../fixtures/crowd.mjs", import.meta.url))
const servers = ["a", "b", "c"]
const deaths = 4
/** Longer than any call takes: what is not answered then never is. */
const patience = 300_000
/** These do not go on with the stream of an answer when it has broken, and do not end its call either: its caller need not wait for long. */
const withoutResuming = new Set(["the v2 client, 2026-07-28", "@ai-sdk/mcp 2"])

const said = (error: unknown): string => error instanceof Error ? `${error.message} ${said(error.cause)}`.trim() : ""

const outcomeOf = (error: unknown): string => {
  const { data } = error as { readonly data?: { readonly fate?: string } }
  const message = said(error)
  if (data?.fate !== undefined) return `fate ${data.fate}`
  if (/\b404\b|session/i.test(message)) return `session: ${message}`
  if (/timed? ?out|aborted/i.test(message)) return "never answered"
  if (/gateway is (starting|shutting down)/.test(message)) return "starting"
  // The connection was refused, or broke.
  return /fetch failed|ECONNREFUSED|ECONNRESET|socket|terminated/i.test(message) ? "connection" : message
}

class Tally {
  readonly outcomes: Record<string, number> = {}
  readonly acts = new Map<string, string>()

  add(outcome: string): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
  }
}

describe("a gateway that is killed", () => {
  test.scopedLive(
    `[G10] clients that know nothing of it go on after each of ${deaths} kills under load, in their sessions`,
    function*() {
      const path = yield* folder
      const [config, acts] = [join(path, "mcp.json"), join(path, "acts")]
      const command = (name: string) => ({ command: process.execPath, args: [crowd, acts, name] })
      const mcpServers = Object.fromEntries(servers.map((name) => [name, command(name)]))
      // However long servers take to start, calls wait for them.
      writeFileSync(config, JSON.stringify({ mcpServers, lifeline: { timeouts: { wait: "1 minute" } } }))
      const { port } = yield* ReservedPort.make
      const start = Effect.gen(function*() {
        const args = ["serve", "--port", String(port), "--config", config]
        const program = yield* Program.start(args, { MCP_LIFELINE_STATE: join(path, "state") })
        const [, base = ""] = yield* program.prints(/Serving (http:[^\s"]+)\/mcp/)
        return { program, base }
      })
      let gateway = yield* start
      const url = new URL(`${gateway.base}/mcp`)

      const all = yield* Effect.forEach(Object.entries(clients), ([name, connect]) =>
        Effect.gen(function*() {
          const client = yield* Effect.acquireRelease(
            Effect.promise(() => connect(url)),
            (client) => Effect.promise(() => client.close().catch(() => undefined))
          )
          const resource = `crowd://a/${encodeURIComponent(name)}`
          const session = client.sessionId()
          yield* Effect.promise(() => client.subscribe?.(resource) ?? Promise.resolve())
          return { name, client, resource, session, tally: new Tally() }
        }))

      type Args = { readonly text: string }
      const call = (client: Unaware, tally: Tally, tool: string, args: Args, millis = patience) =>
        Effect.promise(async () => {
          const answered = (text: string) => text.endsWith(` ${args.text}`) ? "done" : `wrong answer: ${text}`
          const outcome = await client.call(tool, args, millis).then(answered, outcomeOf)
          tally.add(outcome)
          if (tool.endsWith("__act")) tally.acts.set(args.text, outcome)
          return outcome
        })

      const isOver = yield* Ref.make(false)
      const load = ({ client, name, tally }: (typeof all)[number]) => {
        const millis = withoutResuming.has(name) ? 5000 : patience
        return Effect.forEach([0, 1, 2], (worker) => {
          let n = 0
          return Effect.suspend(() => {
            const text = `${name} ${worker}-${n++}`
            const tool = `${servers[n % servers.length]}__${n % 2 === 0 ? "act" : "look"}`
            // Some are answered at once, others with a stream that is cut in the middle.
            const made = call(client, tally, tool, { text, steps: worker === 0 ? 1 : 60 } as never, millis)
            return Effect.zipRight(made, Effect.sleep(20))
          }).pipe(Effect.repeat({ until: () => Ref.get(isOver) }))
        }, { concurrency: "unbounded", discard: true })
      }
      const loads = yield* Effect.fork(Effect.forEach(all, load, { concurrency: "unbounded", discard: true }))

      for (let death = 1; death <= deaths; death++) {
        yield* Effect.sleep(500 + 37 * death)
        Program.kill(gateway.program.pid)
        yield* gateway.program.ended
        gateway = yield* start
        const look = ({ client, name, tally }: (typeof all)[number]) =>
          call(client, tally, "a__look", { text: `${name} after ${death}` })
        const back = yield* Effect.forEach(all, look, { concurrency: "unbounded" })
        expect(back).toEqual(all.map(() => "done"))
      }
      yield* Ref.set(isOver, true)
      yield* Fiber.join(loads)

      for (const { client, name, resource, session, tally } of all) {
        console.log(`${name}: ${JSON.stringify({ ...tally.outcomes, listChanged: client.heard.listChanged })}`)
        expect(client.sessionId()).toBe(session)
        if (client.subscribe === undefined) continue
        const before = client.heard.updated
        const touched = call(client, tally, "a__touch", { text: name, uri: resource } as never)
        yield* Effect.repeat(touched, { until: () => client.heard.updated > before })
      }
      const known = new Set(["done", "connection", "starting", "fate unknown", "fate notSent"])
      for (const { name, tally } of all) {
        const others = Object.keys(tally.outcomes).filter((outcome) =>
          !known.has(outcome) && !(outcome === "never answered" && withoutResuming.has(name))
        )
        expect({ name, others }).toEqual({ name, others: [] })
      }
      const done = existsSync(acts) ? readFileSync(acts, "utf8").trim().split("\n") : []
      expect(done.length).toBe(new Set(done).size)
      const carriedOut = new Set(done)
      for (const { tally } of all) {
        for (const [text, outcome] of tally.acts) {
          if (outcome === "done") expect([text, carriedOut.has(text)]).toEqual([text, true])
          if (outcome === "fate notSent") expect([text, carriedOut.has(text)]).toEqual([text, false])
        }
      }
    },
    900_000
  )
})
