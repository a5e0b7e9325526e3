/**
 * Whether spans are taken, and by whom: the tracer that is provided.
 */
import { Context, DefaultServices, Effect, Tracer } from "effect"
import * as Spans from "./Spans.js"

/** The `tracestate` of a span of OpenTelemetry's SDK, as `@effect/opentelemetry` wraps it. */
const tracestate: NonNullable<Spans.Spans["tracestate"]> = (span) => {
  const { span: inner } = span as { readonly span?: { readonly spanContext?: () => { readonly traceState?: unknown } } }
  const state = inner?.spanContext?.().traceState as { readonly serialize?: () => string } | undefined
  return state?.serialize?.()
}

/** The tracer that every program has: its spans go nowhere. */
const untraced = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** Spans through the tracer that is provided; none where there is only that of every program. */
export const current: Effect.Effect<Spans.Spans> = Effect.map(
  Effect.tracer,
  (tracer) => tracer === untraced ? Spans.none : { tracer, tracestate }
)
