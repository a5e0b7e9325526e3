import { Backend, type InvalidOptions, RequestError } from "@mcp-lifeline/core"
import type { Event } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Array as Arr, Effect, Logger, Metric, Random, Scope, TestClock } from "effect"
import { startBackend } from "../../src/backend/start.js"

export type Respond = NonNullable<ScriptedConnector.ScriptedConnector["respond"]>

export const second = 1000
export const minute = 60 * second

/** What the heartbeats of a test look like: every draw is 0.5, so the first comes after 0.5 and later ones after 0.875. */
export const fixed = Effect.withRandom(Random.fixed([0.5]))

export const error = (error: Partial<RequestError> & Pick<RequestError, "reason">): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({ fate: "answered", message: "says the server", ...error })
})

export const unsupported = error({ reason: "remote", code: -32601, message: "Method not found" })
export const never: ScriptedConnector.Answer = { answer: "never" }
export const slowly = (after: number): ScriptedConnector.Answer => ({ answer: "result", after })
export const tooMany = error({ fate: "rejected", reason: "rateLimited", message: "429" })

/** A server that never answers pings gives no list while a ping waits either. */
export const on = (answers: Record<string, ScriptedConnector.Answer>): Respond => (method, _, { pending }) =>
  answers[method] ?? (answers["ping"] === never && method.endsWith("/list") && pending > 0 ? never : undefined)

export interface World {
  readonly script: ScriptedConnector.ScriptedConnector
  readonly backend: Backend.Backend
  readonly events: ReadonlyArray<Event.Event>
  readonly sent: () => ReadonlyArray<readonly [string, number]>
  readonly keepalive: Effect.Effect<{ readonly state: string; readonly reason: string | undefined }>
}

export const start = (
  keepalive: Backend.KeepaliveOptions,
  { respond, script = ScriptedConnector.make(), ...options }: Partial<Backend.BackendOptions> & {
    readonly respond?: Respond
    readonly script?: ScriptedConnector.ScriptedConnector
  } = {}
): Effect.Effect<World, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    script.respond = respond
    const events: Array<Event.Event> = []
    const observer = { changed: () => {}, catalogChanged: () => {}, event: (event: Event.Event) => events.push(event) }
    const backend = yield* startBackend("one", { connector: script, keepalive, ...options }, { observer })
    yield* TestClock.adjust(0)
    let seen = 0
    const sent = () => {
      const entries = script.ledger.entries.slice(seen)
      seen = script.ledger.entries.length
      return entries.flatMap((entry) =>
        entry._tag === "Sent" && !entry.method.endsWith("/list") ? [[entry.method, entry.at] as const] : []
      )
    }
    return { script, backend, events, sent, keepalive: Effect.map(backend.status, (status) => status.keepalive) }
  })

export const logged = <A, E, R>(body: (lines: Array<string>) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel.label} ${Arr.ensure(message).join(" ")}`)
    })
    return Effect.provide(body(lines), Logger.add(logger))
  })

export const metric = (name: string, tags: Record<string, string>) =>
  Effect.map(Metric.snapshot, (pairs) => {
    const found = pairs.find(({ metricKey }) =>
      metricKey.name === name && metricKey.tags.length === Object.keys(tags).length &&
      metricKey.tags.every(({ key, value }) => tags[key] === value)
    )
    return found?.metricState as Record<string, unknown> | undefined
  })

export const count = (name: string, tags: Record<string, string>) =>
  Effect.map(metric(name, tags), (state) => state?.["count"] ?? 0)
