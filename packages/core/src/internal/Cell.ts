/**
 * One immutable value that many read: a Ref whose writes wake those who wait, in the same synchronous step.
 */
import { Effect, MutableRef, type Option, Stream } from "effect"

/** Holds one value. Everything here is synchronous but for `next` and `changes`. */
export class Cell<A> {
  readonly #ref: MutableRef.MutableRef<A>
  #listeners: Set<() => void> | undefined
  #ended = false

  constructor(initial: A) {
    this.#ref = MutableRef.make(initial)
  }

  get(): A {
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
   * Ends with the next write after `seen`, and with the cell; at once if the value is another already. It says that there is a
   * reason to look again, nothing more: read anew.
   */
  next(seen: A): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.#ended || this.get() !== seen) return resume(Effect.void)
      const stop = this.listen(() => {
        stop()
        resume(Effect.void)
      })
      return Effect.sync(stop)
    })
  }

  /** The value now and after each write, until the cell ends. A slow reader misses intermediate values, never the last. */
  get changes(): Stream.Stream<A> {
    type Previous = { readonly seen: A } | undefined
    const read = (previous: Previous): Effect.Effect<Option.Option<readonly [A, Previous]>> =>
      Effect.suspend(() => {
        const seen = this.get()
        return previous === undefined || seen !== previous.seen
          ? Effect.succeedSome([seen, { seen }] as const)
          : this.#ended
          ? Effect.succeedNone
          : Effect.zipRight(this.next(seen), read(previous))
      })
    return Stream.unfoldEffect<Previous, A, never, never>(undefined, read)
  }
}
