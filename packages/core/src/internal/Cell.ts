/**
 * One immutable value that many read: a Ref whose writes wake those who wait, in the same synchronous step.
 */
import { Effect, MutableRef, Stream } from "effect"

/** Holds one value. Everything here is synchronous but for `next` and `changes`. */
export class Cell<A> {
  readonly #ref: MutableRef.MutableRef<A>
  #listeners: Set<() => void> | undefined

  constructor(initial: A) {
    this.#ref = MutableRef.make(initial)
  }

  get(): A {
    return MutableRef.get(this.#ref)
  }

  /** Publishes a value and wakes everybody who waits. */
  set(value: A): void {
    MutableRef.set(this.#ref, value)
    if (this.#listeners !== undefined) { for (const listener of [...this.#listeners]) listener() }
  }

  /** Calls back after each write, until the returned function is called. The callback must not throw. */
  listen(listener: () => void): () => void {
    const listeners = this.#listeners ??= new Set()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /**
   * Ends with the next write after `seen`; at once if the value is another already. It says that there is a reason to look
   * again, nothing more: read anew.
   */
  next(seen: A): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.get() !== seen) return resume(Effect.void)
      const stop = this.listen(() => {
        stop()
        resume(Effect.void)
      })
      return Effect.sync(stop)
    })
  }

  /** The value now and after each write. A slow reader misses intermediate values, never the last. */
  get changes(): Stream.Stream<A> {
    return Stream.unfoldEffect<{ readonly seen: A } | undefined, A, never, never>(
      undefined,
      (previous) =>
        Effect.suspend(() => {
          const emit = () => {
            const seen = this.get()
            return [seen, { seen }] as const
          }
          return previous === undefined || this.get() !== previous.seen
            ? Effect.succeedSome(emit())
            : Effect.asSome(Effect.map(this.next(previous.seen), emit))
        })
    )
  }
}
