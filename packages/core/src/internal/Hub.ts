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
      Effect.sync(() => new Reader(this, this.#backlog, earlier())),
      ({ take }) => Effect.ignore(Effect.forever(Effect.flatMap(take, Effect.forEach(use, { discard: true })))),
      ({ stop }) => stop
    )
  }

  /** Begins with `earlier`, read in the step that subscribes. A slow reader gets a warning with the number of values dropped. */
  stream(earlier: () => ReadonlyArray<A> = () => []): Stream.Stream<A> {
    return Stream.unwrapScoped(
      Effect.map(
        Effect.acquireRelease(Effect.sync(() => new Reader(this, this.#backlog, earlier())), ({ stop }) => stop),
        (reader) => Stream.repeatEffectChunkOption(reader.take)
      )
    )
  }
}

class Reader<A> {
  readonly #hub: Hub<A>
  readonly #values: Array<A>
  #dropped = 0
  #wake = constVoid
  readonly stop: Effect.Effect<void>

  constructor(hub: Hub<A>, backlog: number, earlier: ReadonlyArray<A>) {
    this.#hub = hub
    this.#values = [...earlier]
    const take = (value: A) => {
      // Many at once: shifting one from a long array costs its length.
      if (this.#values.length >= 2 * backlog) this.#dropped += this.#values.splice(0, backlog).length
      this.#values.push(value)
      this.#wake()
    }
    this.stop = Effect.sync(hub.listen(take, () => this.#wake()))
  }

  /** Fails with nothing at the end. */
  readonly take: Effect.Effect<Chunk.Chunk<A>, Option.Option<never>> = Effect.suspend(() => {
    const values = this.#values.splice(0)
    if (values.length === 0) {
      return this.#hub.isEnded ? Effect.fail(Option.none()) : Effect.zipRight(this.#arrived, this.take)
    }
    const dropped = this.#dropped
    this.#dropped = 0
    const warning = dropped === 0
      ? Effect.void
      : SafeLog.warning(
        `a reader of events was too slow for them: the oldest ${dropped} were dropped. Do less for each`
      )
    return Effect.as(warning, Chunk.unsafeFromArray(values))
  })

  readonly #arrived: Effect.Effect<void> = Effect.async((resume) => {
    if (this.#values.length > 0 || this.#hub.isEnded) return resume(Effect.void)
    this.#wake = () => {
      this.#wake = constVoid
      resume(Effect.void)
    }
  })
}
