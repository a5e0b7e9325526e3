/** Synchronous, in order; costs nothing without listeners. */
import { Chunk, Effect, Option, Stream } from "effect"
import { constVoid } from "effect/Function"
import * as SafeLog from "./SafeLog.js"

interface Listener<A> {
  readonly value: (value: A) => void
  readonly end: (() => void) | undefined
}

export class Hub<A> {
  #listeners: Set<Listener<A>> | undefined
  #ended = false
  readonly #backlog: number

  /** `backlog`: how many values a reader of `stream` may be behind before the oldest are dropped. */
  constructor(backlog = 1024) {
    this.#backlog = backlog
  }

  get isEnded(): boolean {
    return this.#ended
  }

  emit(value: A): void {
    if (this.#listeners !== undefined) { for (const listener of this.#listeners) listener.value(value) }
  }

  /** Ends every stream, also later ones. Values emitted after that reach no listener. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners !== undefined) { for (const listener of listeners) listener.end?.() }
  }

  /** Until the returned function is called or the hub ends (`onEnd`). Neither callback may throw. */
  listen(onValue: (value: A) => void, onEnd?: () => void): () => void {
    if (this.#ended) {
      onEnd?.()
      return () => {}
    }
    const listener = { value: onValue, end: onEnd }
    const listeners = this.#listeners ??= new Set()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /** Like `stream`, one value after the other, with a small part of the memory. */
  forEachAfter<R>(
    earlier: () => ReadonlyArray<A>,
    use: (value: A) => Effect.Effect<void, never, R>
  ): Effect.Effect<void, never, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => reader(this, this.#backlog, earlier())),
      ({ take }) => Effect.ignore(Effect.forever(Effect.flatMap(take, Effect.forEach(use, { discard: true })))),
      ({ stop }) => stop
    )
  }

  /** Begins with `earlier`, read in the step that subscribes. Warns a slow reader of values dropped. */
  stream(earlier: () => ReadonlyArray<A> = () => []): Stream.Stream<A> {
    return Stream.unwrapScoped(
      Effect.map(
        Effect.acquireRelease(Effect.sync(() => reader(this, this.#backlog, earlier())), ({ stop }) => stop),
        ({ take }) => Stream.repeatEffectChunkOption(take)
      )
    )
  }
}

const reader = <A>(hub: Hub<A>, backlog: number, earlier: ReadonlyArray<A>) => {
  const values = [...earlier]
  let dropped = 0
  let wake = constVoid
  const stop = hub.listen((value) => {
    // Many at once: shifting one from a long array costs its length.
    if (values.length >= 2 * backlog) dropped += values.splice(0, backlog).length
    values.push(value)
    wake()
  }, () => wake())
  const arrived = Effect.async<void>((resume) => {
    if (values.length > 0 || hub.isEnded) return resume(Effect.void)
    wake = () => {
      wake = constVoid
      resume(Effect.void)
    }
  })
  const take: Effect.Effect<Chunk.Chunk<A>, Option.Option<never>> = Effect.suspend(() => {
    const taken = Chunk.unsafeFromArray(values.splice(0))
    if (taken.length === 0) return hub.isEnded ? Effect.fail(Option.none()) : Effect.zipRight(arrived, take)
    if (dropped === 0) return Effect.succeed(taken)
    const message = `a reader of events was too slow for them: the oldest ${dropped} were dropped. Do less for each`
    dropped = 0
    return Effect.as(SafeLog.warning(message), taken)
  })
  return { take, stop: Effect.sync(stop) }
}
