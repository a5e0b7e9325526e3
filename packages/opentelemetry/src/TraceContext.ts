/** W3C Trace Context in `params._meta`. */
import { ExactJson } from "@mcp-lifeline/core/text"
import { Tracer } from "effect"

/** `undefined` for a span without valid ids. */
export const traceparent = ({ sampled, spanId, traceId }: Tracer.AnySpan): string | undefined =>
  /^[0-9a-f]{32}$/.test(traceId) && /^[0-9a-f]{16}$/.test(spanId) && !/^0+$/.test(traceId) && !/^0+$/.test(spanId)
    ? `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`
    : undefined

const format = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** Named by the caller's own `_meta`: a gateway passes the trace of its client on in this way. */
export const parentOf = (params: unknown): Tracer.ExternalSpan | undefined => {
  const found = metaOf(params)?.["traceparent"]
  const [, traceId, spanId, flags] = typeof found === "string" ? format.exec(found) ?? [] : []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}

export const inject = <P>(params: P, span: Tracer.AnySpan, tracestate: string | undefined): P => {
  const parent = traceparent(span)
  if (parent === undefined) return params
  const given = metaOf(params)
  const { tracestate: _, ...meta } = given ?? {}
  const state = tracestate === undefined || tracestate === "" ? {} : { tracestate }
  return ExactJson.copied(params, {
    ...params,
    _meta: ExactJson.copied(given, { ...meta, traceparent: parent, ...state })
  })
}

const metaOf = (params: unknown): Readonly<Record<string, unknown>> | undefined => {
  if (typeof params !== "object" || params === null || !("_meta" in params)) return undefined
  const { _meta } = params
  return typeof _meta === "object" && _meta !== null ? _meta as Readonly<Record<string, unknown>> : undefined
}
