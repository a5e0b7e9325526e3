import type { OuterSpan, OuterTelemetry, SpanIds } from "@mcp-lifeline/client/within"
import { Context, Effect, Exit, Metric, Option, Tracer } from "effect"

/** Undefined for the default one, whose spans nobody sees. */
const tracerOf = (context: Context.Context<never>): Tracer.Tracer | undefined => {
  const tracer = Context.get(context, Tracer.Tracer)
  return tracer === Tracer.nativeTracer ? undefined : tracer
}

/** Spans that make calls now. The facade finds only their ids, in the parameters of the call. */
const callers = new Map<string, { readonly span: Tracer.AnySpan; requests: number }>()

class Opened implements OuterSpan {
  readonly span: Tracer.Span
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean

  constructor(span: Tracer.Span) {
    this.span = span
    this.traceId = span.traceId
    this.spanId = span.spanId
    this.sampled = span.sampled
  }

  attribute(key: string, value: unknown): void {
    this.span.attribute(key, value)
  }

  link(to: ReadonlyArray<SpanIds>): void {
    this.span.addLinks(to.map((ids) => ({ span: spanOf(ids), attributes: {} })))
  }

  end(at: bigint, failure: unknown): void {
    this.span.end(at, failure === undefined ? Exit.void : Exit.fail(failure))
  }
}

const spanOf = (ids: SpanIds): Tracer.AnySpan =>
  ids instanceof Opened ? ids.span : callers.get(ids.spanId)?.span ?? Tracer.externalSpan(ids)

/** Metrics always, spans if the program has a tracer. */
export const make = (context: Context.Context<never>): OuterTelemetry => {
  const tracer = tracerOf(context)
  return {
    open: tracer && (({ at, kind, name, parent }) => {
      const above = Option.map(Option.fromUndefinedOr(parent), spanOf)
      return new Opened(tracer.span({
        name,
        kind,
        parent: above,
        root: parent === undefined,
        sampled: Option.match(above, { onNone: () => true, onSome: ({ sampled }) => sampled }),
        startTime: at,
        annotations: Context.empty(),
        links: []
      }))
    }),
    series: ({ boundaries = [], description, kind, name, unit }, given) => {
      // A count, such as `{call}`, has no unit.
      const attributes: Record<string, string> = unit.startsWith("{") ? {} : { unit }
      for (const [key, value] of Object.entries(given)) if (value !== undefined) attributes[key] = String(value)
      const options = { description, attributes }
      const metric = kind === "gauge"
        ? Metric.gauge(name, options)
        : kind === "histogram"
        ? Metric.histogram(name, { ...options, boundaries })
        : Metric.counter(name, { ...options, incremental: kind === "counter" })
      return (value) => metric.updateUnsafe(value, context)
    }
  }
}

/** Passes the caller's span as `traceparent` in the parameters, where a gateway passes that of its client. */
export const within = <P, A, E>(params: P, send: (params: P) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const span = tracerOf(yield* Effect.context<never>()) && Option.getOrUndefined(
      yield* Effect.option(Effect.currentParentSpan)
    )
    if (span === undefined || !/^[0-9a-f]{16}$/.test(span.spanId)) return yield* send(params)
    const { sampled, spanId, traceId } = span
    const caller = callers.get(spanId) ?? { span, requests: 0 }
    callers.set(spanId, caller)
    caller.requests++
    const _meta = {
      ...(params as { readonly _meta?: object } | undefined)?._meta,
      traceparent: `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`
    }
    return yield* Effect.ensuring(
      send({ ...params, _meta }),
      Effect.sync(() => {
        if (--caller.requests === 0) callers.delete(spanId)
      })
    )
  })
