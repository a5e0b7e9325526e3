import type { Telemetry } from "@mcp-lifeline/core"
import { from } from "@mcp-lifeline/opentelemetry/LifelineTelemetry"
import { Cause, type Context, Exit, Option, Tracer } from "effect"
import type { OuterSpan, OuterTelemetry, SpanIds } from "./Outer.js"

/** In Effect's shape. */
class Traced implements Tracer.Span {
  readonly _tag = "Span"
  readonly attributes = new Map<string, unknown>()
  readonly links: Array<Tracer.SpanLink> = []
  readonly inner: OuterSpan
  readonly name: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly kind: Tracer.SpanKind
  status: Tracer.SpanStatus

  constructor(
    inner: OuterSpan,
    name: string,
    parent: Option.Option<Tracer.AnySpan>,
    context: Context.Context<never>,
    startTime: bigint,
    kind: Tracer.SpanKind
  ) {
    this.inner = inner
    this.name = name
    this.parent = parent
    this.context = context
    this.kind = kind
    this.status = { _tag: "Started", startTime }
  }

  get spanId(): string {
    return this.inner.spanId
  }

  get traceId(): string {
    return this.inner.traceId
  }

  get sampled(): boolean {
    return this.inner.sampled
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    this.inner.attribute(key, value)
  }

  event(): void {}

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
    this.inner.link(links.map(({ span }) => idsOf(span)))
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", endTime, exit, startTime: this.status.startTime }
    const isFailed = Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
    this.inner.end(endTime, isFailed ? Cause.squash(exit.cause) : undefined)
  }
}

/** So that the program recognizes its own span. */
const idsOf = (span: Tracer.AnySpan): SpanIds => span instanceof Traced ? span.inner : span

export const make = ({ open, series }: OuterTelemetry): Telemetry.Telemetry =>
  from(
    open && {
      tracer: Tracer.make({
        context: (execution) => execution(),
        span: (name, parent, context, _links, at, kind) =>
          new Traced(
            open({ name, kind, parent: Option.getOrUndefined(Option.map(parent, idsOf)), at }),
            name,
            parent,
            context,
            at,
            kind
          )
      })
    },
    { readsRegistry: false, series, record: (metric, value, attributes) => series(metric, attributes)(value) }
  )
