/**
 * What a program with its own runtime gives the facade's: time, tracer and metrics. The types show nothing of Effect, because the program has
 * another version of it.
 */
/** The key in the options of `connectAll`: a symbol, so that no configuration can have it. */
export const outer: unique symbol = Symbol.for("@mcp-lifeline/client/outer")

export interface OuterClock {
  /** Since the epoch. */
  readonly millis: () => number
  /** Since the epoch. */
  readonly nanos: () => bigint
  /** Calls back after so many milliseconds, unless the returned function is called first. */
  readonly after: (millis: number, done: () => void) => () => void
  /** Called when a step of the facade is due, and when it has run. Between them, time should stand still. */
  readonly due: () => void
  readonly ran: () => void
}

/** As in W3C Trace Context. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

export interface OuterSpan extends SpanIds {
  readonly attribute: (key: string, value: unknown) => void
  /** To spans that `open` returned, or others. */
  readonly link: (to: ReadonlyArray<SpanIds>) => void
  /** `at` in nanoseconds since the epoch. */
  readonly end: (at: bigint, failure: unknown) => void
}

export interface Opening {
  readonly name: string
  readonly kind: "internal" | "client" | "server" | "producer" | "consumer"
  /** Returned by `open`, or another one. Undefined for a root span. */
  readonly parent: SpanIds | undefined
  /** Nanoseconds since the epoch. */
  readonly at: bigint
}

export interface OuterMetric {
  readonly name: string
  readonly kind: "counter" | "upDownCounter" | "gauge" | "histogram"
  /** In UCUM notation. */
  readonly unit: string
  readonly description: string
  /** Upper bounds of histogram buckets. */
  readonly boundaries?: ReadonlyArray<number> | undefined
}

export interface OuterTelemetry {
  /** Undefined: spans are not recorded. */
  readonly open: ((opening: Opening) => OuterSpan) | undefined
  /** Records values with the same attributes. */
  readonly series: (
    metric: OuterMetric,
    attributes: Readonly<Record<string, string | number | undefined>>
  ) => (value: number) => void
}

/** Omitted: the facade's own. */
export interface Outer {
  readonly clock?: OuterClock | undefined
  /** Unused if the options have `telemetry`. */
  readonly telemetry?: OuterTelemetry | undefined
}

export const of = (options: object): Outer => (options as { readonly [outer]?: Outer })[outer] ?? {}
