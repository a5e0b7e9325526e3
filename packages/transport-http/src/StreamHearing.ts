/**
 * Whether messages of the server arrive on its stream (GET), for those who otherwise have to ask for what it would announce.
 */
import { Clock, Effect } from "effect"

/** A stream that is not open after so many milliseconds brings nothing. */
const openTimeout = 5000
/** The shortest time between two reports that messages arrive again, in milliseconds: after each of them, lists are read. */
const pace = 30_000

/** Reports each change. At first messages arrive. */
export class StreamHearing {
  readonly #report: (hears: boolean) => void
  #hears = true
  #heardAt = Number.NEGATIVE_INFINITY

  constructor(report: (hears: boolean) => void) {
    this.#report = report
  }

  /** Runs with each attempt to open the stream, until that ends. `trusted`: how long the stream has to be open before it counts as heard. */
  during(opened: Effect.Effect<void>, trusted: number): Effect.Effect<never> {
    return Effect.gen(this, function*() {
      const isOpen = yield* Effect.timeoutOption(opened, openTimeout)
      if (isOpen._tag === "None") {
        this.ended()
        yield* opened
      }
      if (!this.#hears) {
        yield* Effect.sleep(Math.max(trusted, this.#heardAt + pace - (yield* Clock.currentTimeMillis)))
        this.#heardAt = yield* Clock.currentTimeMillis
        this.#hears = true
        this.#report(true)
      }
      return yield* Effect.never
    })
  }

  /** The stream is not open. */
  ended(): void {
    if (!this.#hears) return
    this.#hears = false
    this.#report(false)
  }
}
