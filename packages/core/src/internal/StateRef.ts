/** Writes wake readers in the same step. Effect's SubscriptionRef takes two: between them a call reads what woke nobody. */
import { Effect, type Option, Stream } from "effect"
import { Hub } from "./Hub.js"

export class StateRef<A> {
  #value: A
  readonly #writes = new Hub<void>()

  constructor(initial: A) {
    this.#value = initial
  }

  get value(): A {
    return this.#value
  }

  set(value: A): void {
    this.#value = value
    this.#writes.emit()
  }

  /** Ends `changes` after the last value, and wakes waiting readers. */
  end(): void {
    this.#writes.end()
  }

  /** After each write and at the end. The callback must not throw. */
  listen(listener: () => void): () => void {
    return this.#writes.listen(listener, listener)
  }

  /** Ends in the step that writes such a value, and with the ref. */
  until(condition: (value: A) => boolean): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.#writes.isEnded || condition(this.#value)) return resume(Effect.void)
      const stop = this.listen(() => {
        if (!this.#writes.isEnded && !condition(this.#value)) return
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
        const seen = this.#value
        return previous === undefined || seen !== previous.seen
          ? Effect.succeedSome([seen, { seen }] as const)
          : this.#writes.isEnded
          ? Effect.succeedNone
          : Effect.zipRight(this.until((value) => value !== seen), read(previous))
      })
    return Stream.unfoldEffect<Previous, A, never, never>(undefined, read)
  }
}
