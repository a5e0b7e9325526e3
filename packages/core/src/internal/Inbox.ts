/**
 * Messages for one reader. Nothing is lost when the reader is interrupted: a message leaves the inbox in the same synchronous step in which
 * it is handled, which Effect's Queue, whose taker may be interrupted with a message in its hand, does not promise.
 */
import { Effect } from "effect"

/** Unbounded, in order. `offer` and `shift` are synchronous. */
export class Inbox<A> {
  #messages: Array<A> = []
  #wake: (() => void) | undefined

  offer(message: A): void {
    this.#messages.push(message)
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  shift(): A | undefined {
    return this.#messages.shift()
  }

  /** Ends when there is a message. */
  readonly arrived: Effect.Effect<void> = Effect.async((resume) => {
    if (this.#messages.length > 0) return resume(Effect.void)
    this.#wake = () => resume(Effect.void)
  })
}
