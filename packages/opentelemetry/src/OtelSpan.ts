/**
 * Makes spans of OpenTelemetry's API in the shape of Effect's tracer. `@effect/opentelemetry` does the same for programs with Effect; users
 * of the facade have a provider, but neither that package nor its peers.
 */
import * as Otel from "@opentelemetry/api"
import { Cause, Context, Exit, Option, Tracer } from "effect"
import type { Spans } from "./Spans.js"

const kinds = {
  internal: Otel.SpanKind.INTERNAL,
  client: Otel.SpanKind.CLIENT,
  server: Otel.SpanKind.SERVER,
  producer: Otel.SpanKind.PRODUCER,
  consumer: Otel.SpanKind.CONSUMER
} as const

class OtelSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly sampled: boolean
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly kind: Tracer.SpanKind
  readonly attributes = new Map<string, unknown>()
  readonly links: Array<Tracer.SpanLink> = []
  readonly inner: Otel.Span
  status: Tracer.SpanStatus

  constructor(
    inner: Otel.Span,
    name: string,
    parent: Option.Option<Tracer.AnySpan>,
    context: Context.Context<never>,
    startTime: bigint,
    kind: Tracer.SpanKind
  ) {
    const { spanId, traceFlags, traceId } = inner.spanContext()
    this.inner = inner
    this.name = name
    this.spanId = spanId
    this.traceId = traceId
    this.sampled = (traceFlags & Otel.TraceFlags.SAMPLED) !== 0
    this.parent = parent
    this.context = context
    this.kind = kind
    this.status = { _tag: "Started", startTime }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    this.inner.setAttribute(key, typeof value === "number" || typeof value === "boolean" ? value : String(value))
  }

  event(name: string, startTime: bigint): void {
    this.inner.addEvent(name, time(startTime))
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
    this.inner.addLinks(links.map(({ span }) => ({ context: contextOf(span) })))
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", endTime, exit, startTime: this.status.startTime }
    if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) {
      this.inner.setStatus({ code: Otel.SpanStatusCode.ERROR, message: messageOf(exit.cause) })
    }
    this.inner.end(time(endTime))
  }
}

/** A span without another parent is a child of the active span. */
export const spans = (tracer: Otel.Tracer): Spans => ({
  tracestate: (span) => span instanceof OtelSpan ? span.inner.spanContext().traceState?.serialize() : undefined,
  tracer: Tracer.make({
    context: (execution) => execution(),
    span: (name, parent, context, _links, startTime, kind, options) => {
      const active = Otel.context.active()
      const above = parent._tag === "Some"
        ? parent.value instanceof OtelSpan
          ? Otel.trace.setSpan(active, parent.value.inner)
          : Otel.trace.setSpanContext(active, contextOf(parent.value))
        : options?.root === true
        ? Otel.trace.deleteSpan(active)
        : active
      const inner = tracer.startSpan(name, { kind: kinds[kind], startTime: time(startTime) }, above)
      return new OtelSpan(inner, name, parent, context, startTime, kind)
    }
  })
})

const contextOf = (span: Tracer.AnySpan): Otel.SpanContext =>
  span instanceof OtelSpan ? span.inner.spanContext() : {
    traceId: span.traceId,
    spanId: span.spanId,
    traceFlags: span.sampled ? Otel.TraceFlags.SAMPLED : Otel.TraceFlags.NONE,
    isRemote: span._tag === "ExternalSpan"
  }

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

const time = (nanos: bigint): Otel.HrTime => [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)]
