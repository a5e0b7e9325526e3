/** Spans outside of any fiber, with a tracer that is chosen once. */
import { type Clock, Context, Exit, Option, Tracer } from "effect"
import type { Attributes } from "./Meter.js"
import { parentOf } from "./TraceContext.js"

export interface Spans {
  readonly tracer: Tracer.Tracer
  /** The `tracestate` of a span, if the tracer has one. */
  readonly tracestate?: ((span: Tracer.Span) => string | undefined) | undefined
}

/** It has no valid ids, so it is not sent to servers as a parent. */
class NoSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly spanId = ""
  readonly traceId = ""
  readonly sampled = false
  readonly context = Context.make(Tracer.DisablePropagation, true)
  readonly attributes: ReadonlyMap<string, unknown> = new Map()
  readonly links: ReadonlyArray<Tracer.SpanLink> = []
  readonly name: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly kind: Tracer.SpanKind
  readonly status: Tracer.SpanStatus

  constructor(name: string, parent: Option.Option<Tracer.AnySpan>, startTime: bigint, kind: Tracer.SpanKind) {
    this.name = name
    this.parent = parent
    this.kind = kind
    this.status = { _tag: "Started", startTime }
  }

  end(): void {}
  attribute(): void {}
  event(): void {}
  addLinks(): void {}
}

/** Spans that are not recorded. */
export const none: Spans = {
  tracer: Tracer.make({
    context: (execution) => execution(),
    span: (name, parent, _context, _links, startTime, kind) => new NoSpan(name, parent, startTime, kind)
  })
}

export interface Opening {
  readonly name: string
  readonly kind: Tracer.SpanKind
  /** `root`: no parent, even if another span is active. */
  readonly parent: Tracer.AnySpan | "root" | undefined
  readonly attributes: Attributes
  /** Nanoseconds since the epoch. */
  readonly at: bigint
}

export const open = ({ tracer }: Spans, { at, attributes, kind, name, parent }: Opening): Tracer.Span => {
  const root = parent === "root"
  const above = root ? Option.none() : Option.fromNullable(parent)
  const span = tracer.span(name, above, Context.empty(), [], at, kind, root ? { root } : undefined)
  annotate(span, attributes)
  return span
}

export const annotate = (span: Tracer.Span, attributes: Attributes): void => {
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(key, value)
}

export const endFailed = (span: Tracer.Span, at: bigint, type: string, message: string): void =>
  span.end(at, Exit.fail(new Failure(type, message)))

export const link = (from: Tracer.Span, ...to: ReadonlyArray<Tracer.AnySpan>): void =>
  from.addLinks(to.map((span) => ({ _tag: "SpanLink", span, attributes: {} })))

/** That of the caller's fiber, or the one that the parameters name. */
export const parent = (current: Tracer.AnySpan | undefined, params: unknown): Tracer.AnySpan | undefined =>
  propagated(current) ?? parentOf(params)

const propagated = (span: Tracer.AnySpan | undefined): Tracer.AnySpan | undefined => {
  if (span === undefined || !Context.get(span.context, Tracer.DisablePropagation)) return span
  return span._tag === "Span" ? propagated(Option.getOrUndefined(span.parent)) : undefined
}

/** Nanoseconds since the epoch. */
export const now = (clock: Clock.Clock): bigint => clock.unsafeCurrentTimeNanos()

/** Without its cause and stack. */
class Failure extends Error {
  readonly _tag = "Failure"

  constructor(type: string, message: string) {
    super(message)
    this.name = type
    this.stack = `${type}: ${message}`
  }
}
