import { type Effect, Effectable, Readable, type Stream, Subscribable } from "effect"

/** Run it, or its `get`, for the current value. `changes` begins with that. */
export interface Live<A> extends Effect.Effect<A>, Subscribable.Subscribable<A> {}

class LiveValue<A> extends Effectable.Class<A> implements Live<A> {
  readonly [Readable.TypeId]: Readable.TypeId = Readable.TypeId
  readonly [Subscribable.TypeId]: Subscribable.TypeId = Subscribable.TypeId
  readonly get: Effect.Effect<A>
  readonly changes: Stream.Stream<A>

  constructor(get: Effect.Effect<A>, changes: Stream.Stream<A>) {
    super()
    this.get = get
    this.changes = changes
  }

  override commit(): Effect.Effect<A> {
    return this.get
  }
}

export const make = <A>(get: Effect.Effect<A>, changes: Stream.Stream<A>): Live<A> => new LiveValue(get, changes)
