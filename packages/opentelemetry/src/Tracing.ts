import { Context, DefaultServices, Effect, Tracer } from "effect"
import * as Spans from "./Spans.js"

/** Of OpenTelemetry's SDK, as `@effect/opentelemetry` wraps it. */
const tracestate: NonNullable<Spans.Spans["tracestate"]> = (span) => {
  const { span: inner } = span as { readonly span?: { readonly spanContext?: () => { readonly traceState?: unknown } } }
  const state = inner?.spanContext?.().traceState as { readonly serialize?: () => string } | undefined
  return state?.serialize?.()
}

/** It records no spans. */
const untraced = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** None if there is only Effect's default tracer. */
export const current: Effect.Effect<Spans.Spans> = Effect.map(
  Effect.tracer,
  (tracer) => tracer === untraced ? Spans.none : { tracer, tracestate }
)
