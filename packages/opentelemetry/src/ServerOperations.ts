/**
 * The requests that a server of ours answers: how long each takes, and a span of each where spans are taken. And how long the sessions of
 * its clients last.
 */
import { Clock, Effect, Exit } from "effect"
import type { Attributes } from "./Meter.js"
import * as Meter from "./Meter.js"
import * as Names from "./Names.js"
import * as Spans from "./Spans.js"
import { inject, parentOf } from "./TraceContext.js"
import { current } from "./Tracing.js"

const { attribute } = Names

/** One request of a client, until it is answered. */
export interface Operation {
  /** The parameters for the server that it is passed on to, in the trace of this request. */
  readonly passedOn: <P>(params: P) => P
  /** It is answered, or will not be; with what went wrong, as the code of a JSON-RPC error or a word, where something did. */
  readonly end: (error?: string) => void
}

/** What is known of a session when it begins. */
export interface Session {
  /** The version of the protocol that is spoken. */
  readonly protocol: string
  /** What carries its messages. */
  readonly transport: "http" | "stdio" | undefined
}

/** Measures requests and sessions. Synchronous; does not throw. */
export interface ServerOperations {
  readonly begin: (method: string, params: unknown) => Operation
  /** A client's session begins. Call what is returned once it has ended. */
  readonly beginSession: (session: Session) => () => void
}

/** What clients may ask for. Anything else is `_OTHER`, so that no client makes up metrics. */
const methods: ReadonlySet<string> = new Set([
  "completion/complete",
  "initialize",
  "logging/setLevel",
  "ping",
  "prompts/get",
  "prompts/list",
  "resources/list",
  "resources/read",
  "resources/subscribe",
  "resources/templates/list",
  "resources/unsubscribe",
  "server/discover",
  "subscriptions/listen",
  "tools/call",
  "tools/list"
])

/** Different names of tools and prompts; what comes after is `_OTHER`. */
const namesAtMost = 1000

const nameIn = (params: unknown): string | undefined => {
  const name = (params as { readonly name?: unknown } | null | undefined)?.name
  return typeof name === "string" ? name : undefined
}

/** Through the tracer that is provided, and Effect's metric registry. Without a tracer there are metrics only. */
export const make: Effect.Effect<ServerOperations> = Effect.gen(function*() {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const spans = yield* current
  const meter = Meter.registry()
  const names = new Set<string>()

  const bounded = (name: string): string => {
    if (names.size < namesAtMost) names.add(name)
    return names.has(name) ? name : "_OTHER"
  }

  const record = (metric: Names.Definition, startedAt: bigint, now: bigint, attributes: Attributes): void =>
    meter.record(metric, Number(now - startedAt) / 1e9, attributes)

  return {
    beginSession: ({ protocol, transport }) => {
      const startedAt = Spans.now(clock)
      return () =>
        record(Names.serverSessionDuration, startedAt, Spans.now(clock), {
          [attribute.protocol]: protocol,
          [attribute.transport]: transport && Names.networkTransport(transport)
        })
    },
    begin: (asked, params) => {
      const method = methods.has(asked) ? asked : "_OTHER"
      const startedAt = Spans.now(clock)
      const span = spans === Spans.none ? undefined : Spans.open(spans, {
        name: method,
        kind: "server",
        parent: parentOf(params) ?? "root",
        attributes: { [attribute.method]: method },
        at: startedAt
      })
      /** Known once it is passed on: a name that nobody has may be anything. */
      let target: Attributes = {}
      return {
        passedOn: (given) => {
          const name = nameIn(params)
          if (name !== undefined && (method === "tools/call" || method === "prompts/get")) {
            const isTool = method === "tools/call"
            target = {
              [isTool ? attribute.tool : attribute.prompt]: bounded(name),
              [attribute.operation]: isTool ? "execute_tool" : undefined
            }
          }
          return span === undefined ? given : inject(given, span, spans.tracestate?.(span))
        },
        end: (error) => {
          const now = Spans.now(clock)
          const attributes = { [attribute.method]: method, ...target, [attribute.error]: error }
          record(Names.serverOperationDuration, startedAt, now, attributes)
          if (span === undefined) return
          Spans.annotate(span, attributes)
          if (error === undefined) span.end(now, Exit.void)
          else Spans.endFailed(span, now, error, `${method} failed`)
        }
      }
    }
  }
})
