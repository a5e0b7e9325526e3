/** Unlike Effect's Queue, an interrupted reader loses none: a message leaves in the step that handles it. */
import { Effect } from "effect"
import { constVoid } from "effect/Function"

export class Inbox<A> {
  readonly #messages: Array<A> = []
  #wake = constVoid

  offer(message: A): void {
    this.#messages.push(message)
    this.#wake()
  }

  shift(): A | undefined {
    return this.#messages.shift()
  }

  readonly arrived: Effect.Effect<void> = Effect.async((resume) => {
    if (this.#messages.length > 0) return resume(Effect.void)
    this.#wake = () => {
      this.#wake = constVoid
      resume(Effect.void)
    }
  })
}
