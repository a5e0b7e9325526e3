/**
 * A value that changes: what it is now, and each change.
 */
import { Effect, Stream } from "effect"

/** A value that changes. */
export interface Live<A> {
  /** The current value. */
  readonly get: Effect.Effect<A>
  /** The current value, and the value after each change. A slow reader may miss values in between, never the last one. */
  readonly changes: Stream.Stream<A>
}

/** @internal */
export const make = <A>(get: () => A, changes: () => AsyncIterable<A>): Live<A> => ({
  get: Effect.sync(get),
  changes: Stream.orDie(Stream.suspend(() => Stream.fromAsyncIterable(changes(), (error) => error)))
})
