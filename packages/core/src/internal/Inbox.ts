/** An interrupted reader loses none, as a taker of Effect's Queue may: a message leaves in the step that handles it. */
import { Effect } from "effect"

/** Unbounded, in order. */
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

  readonly arrived: Effect.Effect<void> = Effect.async((resume) => {
    if (this.#messages.length > 0) return resume(Effect.void)
    this.#wake = () => resume(Effect.void)
  })
}
