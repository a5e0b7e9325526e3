/** Whether the server's stream (GET) brings messages: otherwise lists have to be polled. */
import { Clock, Effect } from "effect"

/** In milliseconds; after that, the stream brings nothing. */
const openTimeout = 5000
/** Between two reports that messages arrive again, in milliseconds: lists are read after each. */
const pace = 30_000

/** Reports changes. At first messages arrive. */
export class StreamHearing {
  readonly #report: (hears: boolean) => void
  #hears = true
  #heardAt = Number.NEGATIVE_INFINITY

  constructor(report: (hears: boolean) => void) {
    this.#report = report
  }

  /** Runs with each attempt to open the stream. `trusted`: how long it must be open to count. */
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

  ended(): void {
    if (!this.#hears) return
    this.#hears = false
    this.#report(false)
  }
}
