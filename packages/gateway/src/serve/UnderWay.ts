/**
 * How many requests of clients are not answered yet: what shutdown waits for.
 */
import { Effect } from "effect"

/** Counts the requests of all clients. */
export class UnderWay {
  #count = 0
  readonly #waiting = new Set<() => void>()

  /** One more is under way. */
  begin(): void {
    this.#count++
  }

  /** So many are under way no more. */
  end(count = 1): void {
    this.#count -= count
    if (this.#count > 0) return
    for (const resume of this.#waiting) resume()
    this.#waiting.clear()
  }

  /** Ends when none is under way. */
  get drained(): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (this.#count === 0) return resume(Effect.void)
      const done = () => resume(Effect.void)
      this.#waiting.add(done)
      return Effect.sync(() => void this.#waiting.delete(done))
    })
  }
}
