import { type Effect, Effectable, Readable, type Stream, Subscribable } from "effect"

/** Run it, or its `get`, for the current value. `changes` begins with that. */
export interface Live<A> extends Effect.Effect<A>, Subscribable.Subscribable<A> {}

const prototype = {
  ...Effectable.CommitPrototype,
  [Readable.TypeId]: Readable.TypeId,
  [Subscribable.TypeId]: Subscribable.TypeId,
  commit(this: Live<unknown>) {
    return this.get
  }
}

export const make = <A>(get: Effect.Effect<A>, changes: Stream.Stream<A>): Live<A> =>
  Object.assign(Object.create(prototype), { get, changes })
