/**
 * One immutable value that many read: a Ref whose writes wake those who wait, in the same synchronous step. Effect's
 * SubscriptionRef publishes and wakes in two steps, and a call that reads between them would see what has woken nobody yet.
 */
import { Effect, MutableRef, type Option, Stream } from "effect"

/** Holds one value. Everything here is synchronous but for `next` and `changes`. */
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

  /** Publishes a value and wakes everybody who waits. */
  set(value: A): void {
    MutableRef.set(this.#ref, value)
    this.#wake()
  }

  /** Ends `changes`, once its reader has the last value. Wakes everybody who waits: there will be nothing to wait for. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#wake()
  }

  #wake(): void {
    if (this.#listeners !== undefined) { for (const listener of [...this.#listeners]) listener() }
  }

  /** Calls back after each write and at the end, until the returned function is called. The callback must not throw. */
  listen(listener: () => void): () => void {
    const listeners = this.#listeners ??= new Set()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /**
   * Ends with the next write after `seen`, and with the ref; at once if the value is another already. It says that there is a
   * reason to look again, nothing more: read anew.
   */
  next(seen: A): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.#ended || this.value !== seen) return resume(Effect.void)
      const stop = this.listen(() => {
        stop()
        resume(Effect.void)
      })
      return Effect.sync(stop)
    })
  }

  /** The value now and after each write, until the ref ends. A slow reader misses intermediate values, never the last. */
  get changes(): Stream.Stream<A> {
    type Previous = { readonly seen: A } | undefined
    const read = (previous: Previous): Effect.Effect<Option.Option<readonly [A, Previous]>> =>
      Effect.suspend(() => {
        const seen = this.value
        return previous === undefined || seen !== previous.seen
          ? Effect.succeedSome([seen, { seen }] as const)
          : this.#ended
          ? Effect.succeedNone
          : Effect.zipRight(this.next(seen), read(previous))
      })
    return Stream.unfoldEffect<Previous, A, never, never>(undefined, read)
  }
}
