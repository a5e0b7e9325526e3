/**
 * What a program with a runtime of its own gives the facade's: its time. In types that show nothing of Effect, because the program has
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

/** What the program gives. What is left out is the facade's own. */
export interface Outer {
  readonly clock?: OuterClock | undefined
}

/** What the options have of the program. */
export const of = (options: object): Outer => (options as { readonly [outer]?: Outer })[outer] ?? {}
