import { SpanKind, SpanStatusCode } from "@opentelemetry/api"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"

export interface View {
  readonly name: string
  readonly client: boolean
  readonly traceId: string
  readonly spanId: string
  readonly parent: string | undefined
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: ReadonlyArray<string>
  readonly failed: boolean
  readonly message: string | undefined
}

export const ofSdk = (spans: ReadonlyArray<ReadableSpan>): ReadonlyArray<View> =>
  spans.map((span) => ({
    name: span.name,
    client: span.kind === SpanKind.CLIENT,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parent: span.parentSpanContext?.spanId,
    attributes: span.attributes,
    links: span.links.map((link) => link.context.spanId),
    failed: span.status.code === SpanStatusCode.ERROR,
    message: span.status.message
  }))

interface OtlpValue {
  readonly stringValue?: string
  readonly intValue?: number | string
  readonly doubleValue?: number
  readonly boolValue?: boolean
}

interface OtlpAttribute {
  readonly key: string
  readonly value: OtlpValue
}

interface OtlpSpan {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<OtlpAttribute>
  readonly links: ReadonlyArray<{ readonly spanId: string }>
  readonly status: { readonly code: number; readonly message?: string }
}

export const ofOtlp = (bodies: ReadonlyArray<unknown>): ReadonlyArray<View> =>
  bodies.flatMap((body) =>
    (body as { resourceSpans: Array<{ scopeSpans: Array<{ spans: Array<OtlpSpan> }> }> }).resourceSpans
  ).flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)).map((span) => ({
    name: span.name,
    client: span.kind === 3,
    traceId: span.traceId,
    spanId: span.spanId,
    parent: span.parentSpanId,
    attributes: attributesOf(span.attributes),
    links: span.links.map(({ spanId }) => spanId),
    failed: span.status.code === 2,
    message: span.status.message
  }))

export const attributesOf = (attributes: ReadonlyArray<OtlpAttribute>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [
    key,
    value.stringValue ?? value.boolValue ?? value.doubleValue ??
      (value.intValue === undefined ? undefined : Number(value.intValue))
  ]))
