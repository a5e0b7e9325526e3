/** Writes wake readers in the same step. Effect's SubscriptionRef takes two: between them a call reads what woke nobody. */
import { Effect, MutableRef, type Option, Stream } from "effect"

/** Synchronous but for `until` and `changes`. */
export class StateRef<A> {
  readonly #ref: MutableRef.MutableRef<A>
  #listeners: Set<() => void> | undefined
  #ended = false

  constructor(initial: A) {
    this.#ref = MutableRef.make(initial)
  }

  get value(): A {
    return MutableRef.get(this.#ref)
  }

  set(value: A): void {
    MutableRef.set(this.#ref, value)
    this.#wake()
  }

  /** Ends `changes` after the last value, and wakes waiting readers. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#wake()
  }

  #wake(): void {
    if (this.#listeners !== undefined) { for (const listener of [...this.#listeners]) listener() }
  }

  /** After each write and at the end. The callback must not throw. */
  listen(listener: () => void): () => void {
    const listeners = this.#listeners ??= new Set()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /** Ends in the step that writes such a value, and with the ref. */
  until(condition: (value: A) => boolean): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.#ended || condition(this.value)) return resume(Effect.void)
      const stop = this.listen(() => {
        if (!this.#ended && !condition(this.value)) return
        stop()
        resume(Effect.void)
      })
      return Effect.sync(stop)
    })
  }

  /** A slow reader misses intermediate values, never the last. */
  get changes(): Stream.Stream<A> {
    type Previous = { readonly seen: A } | undefined
    const read = (previous: Previous): Effect.Effect<Option.Option<readonly [A, Previous]>> =>
      Effect.suspend(() => {
        const seen = this.value
        return previous === undefined || seen !== previous.seen
          ? Effect.succeedSome([seen, { seen }] as const)
          : this.#ended
          ? Effect.succeedNone
          : Effect.zipRight(this.until((value) => value !== seen), read(previous))
      })
    return Stream.unfoldEffect<Previous, A, never, never>(undefined, read)
  }
}
