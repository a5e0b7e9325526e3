/** Measures the requests that a gateway answers, with a span of each if there is a tracer, and how long sessions of clients last. */
import { Clock, Effect, Exit } from "effect"
import { BoundedNames } from "./BoundedNames.js"
import type { Attributes, Series } from "./Meter.js"
import * as Meter from "./Meter.js"
import * as Names from "./Names.js"
import * as Spans from "./Spans.js"
import { inject, parentOf } from "./TraceContext.js"
import { current } from "./Tracing.js"

const { attribute } = Names

export interface Operation {
  /** For the server to which the gateway passes the request on, with the trace of this request. */
  readonly passedOn: <P>(params: P) => P
  /** `error`, if something went wrong: the code of a JSON-RPC error, or a word. */
  readonly end: (error?: string) => void
}

export interface Session {
  /** The version that client and server use. */
  readonly protocol: string
  readonly transport: "http" | "stdio" | undefined
}

/** Synchronous; does not throw. */
export interface ServerOperations {
  readonly begin: (method: string, params: unknown) => Operation
  /** Call what is returned once the session has ended. */
  readonly beginSession: (session: Session) => () => void
}

/** Any other is `_OTHER`, so that clients cannot create new metrics. */
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

const nameIn = (params: unknown): string | undefined => {
  const name = (params as { readonly name?: unknown } | null | undefined)?.name
  return typeof name === "string" ? name : undefined
}

/** Uses the tracer in the environment and Effect's metric registry. Without a tracer there are only metrics. */
export const make: Effect.Effect<ServerOperations> = Effect.gen(function*() {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const spans = yield* current
  const meter = Meter.registry()
  const names = new BoundedNames()

  const secondsSince = (startedAt: bigint, now: bigint): number => Number(now - startedAt) / 1e9

  /** `name`: of the tool or prompt, where the request was passed on. */
  const attributesOf = (method: string, name: string | undefined): Attributes => {
    if (name === undefined) return { [attribute.method]: method }
    const isTool = method === "tools/call"
    return {
      [attribute.method]: method,
      [isTool ? attribute.tool : attribute.prompt]: name,
      [attribute.operation]: isTool ? "execute_tool" : undefined
    }
  }

  /** By method and name, which are few. */
  const answered = new Map<string, Series>()
  const recordAnswered = (method: string, name: string | undefined, seconds: number): void => {
    const key = name === undefined ? method : `${method} ${name}`
    const series = answered.get(key) ?? meter.series(Names.serverOperationDuration, attributesOf(method, name))
    answered.set(key, series)
    series(seconds)
  }

  return {
    beginSession: ({ protocol, transport }) => {
      const startedAt = Spans.now(clock)
      return () =>
        meter.record(Names.serverSessionDuration, secondsSince(startedAt, Spans.now(clock)), {
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
      /** Not set before: a name that no server has may be anything. */
      let target: string | undefined
      return {
        passedOn: (given) => {
          const name = nameIn(params)
          if (name !== undefined && (method === "tools/call" || method === "prompts/get")) {
            target = names.of(name)
          }
          return span === undefined ? given : inject(given, span, spans.tracestate?.(span))
        },
        end: (error) => {
          const now = Spans.now(clock)
          const seconds = secondsSince(startedAt, now)
          if (error === undefined && span === undefined) return recordAnswered(method, target, seconds)
          const attributes = { ...attributesOf(method, target), [attribute.error]: error }
          meter.record(Names.serverOperationDuration, seconds, attributes)
          if (span === undefined) return
          Spans.annotate(span, attributes)
          if (error === undefined) span.end(now, Exit.void)
          else Spans.endFailed(span, now, error, `${method} failed`)
        }
      }
    }
  }
})
