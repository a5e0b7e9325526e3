/**
 * What a program with a runtime of its own gives the facade's: its time, its tracer and its metrics. In types that show nothing of Effect, because the program has
 * another version of it.
 */
/** The key of the options of `connectAll` that has it. Not a name: nobody writes it into a configuration. */
export const outer: unique symbol = Symbol.for("@mcp-lifeline/client/outer")

/** The time of the program. */
export interface OuterClock {
  /** Milliseconds since the epoch. */
  readonly millis: () => number
  /** Nanoseconds since the epoch. */
  readonly nanos: () => bigint
  /** Calls back after so many milliseconds, unless the returned function is called first. */
  readonly after: (millis: number, done: () => void) => () => void
  /** Called when a step of the facade is due, and when it has run. Between the two, time should stand still. */
  readonly due: () => void
  readonly ran: () => void
}

/** What identifies a span, as W3C Trace Context has it. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

/** A span of the program's tracer. */
export interface OuterSpan extends SpanIds {
  readonly attribute: (key: string, value: unknown) => void
  /** Links it to spans: to those that `open` returned, or to others. */
  readonly link: (to: ReadonlyArray<SpanIds>) => void
  /** When it has ended, in nanoseconds since the epoch, and why it failed, if it did. */
  readonly end: (at: bigint, failure: unknown) => void
}

/** How a span is opened. */
export interface Opening {
  readonly name: string
  readonly kind: "internal" | "client" | "server" | "producer" | "consumer"
  /** One that `open` returned, or another. None: the span has no parent. */
  readonly parent: SpanIds | undefined
  /** Nanoseconds since the epoch. */
  readonly at: bigint
}

/** A metric. */
export interface OuterMetric {
  readonly name: string
  readonly kind: "counter" | "upDownCounter" | "gauge" | "histogram"
  /** In the notation of UCUM. */
  readonly unit: string
  readonly description: string
  /** Upper bounds of the buckets of a histogram. */
  readonly boundaries?: ReadonlyArray<number> | undefined
}

/** Where the program has what is measured. */
export interface OuterTelemetry {
  /** Opens a span. None: spans are not recorded. */
  readonly open: ((opening: Opening) => OuterSpan) | undefined
  /** Records values of a metric that have the same attributes. */
  readonly series: (
    metric: OuterMetric,
    attributes: Readonly<Record<string, string | number | undefined>>
  ) => (value: number) => void
}

/** What the program gives. What is left out is the facade's own. */
export interface Outer {
  readonly clock?: OuterClock | undefined
  /** Not used where the options have `telemetry`. */
  readonly telemetry?: OuterTelemetry | undefined
}

/** What the options have of the program. */
export const of = (options: object): Outer => (options as { readonly [outer]?: Outer })[outer] ?? {}
