import { Effect, Stream } from "effect"

/** A changing value. */
export interface Live<A> {
  readonly get: Effect.Effect<A>
  /** The current value, and the value after each change. A slow reader may miss values, never the last one. */
  readonly changes: Stream.Stream<A>
}

/** @internal */
export const make = <A>(get: () => A, changes: () => AsyncIterable<A>): Live<A> => ({
  get: Effect.sync(get),
  changes: Stream.orDie(Stream.suspend(() => Stream.fromAsyncIterable(changes(), (error) => error)))
})
