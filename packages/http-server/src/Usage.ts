/**
 * Whether anybody uses an endpoint: requests and streams that are open, and when there was one last.
 */
import type { Clock } from "effect"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"

/** Counts what is open. */
export class Usage {
  readonly #clock: Clock.Clock
  #open = 0
  #usedAt: number

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.#usedAt = clock.unsafeCurrentTimeMillis()
  }

  /** A request has come; it is open until its response has ended. */
  began(response: ServerResponse): void {
    this.#open++
    response.once("close", () => {
      this.#open--
      this.#usedAt = this.#clock.unsafeCurrentTimeMillis()
    })
  }

  /** Ends once nobody has used it for so long, in milliseconds. */
  unusedFor(millis: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const rest = this.#open > 0 ? millis : this.#usedAt + millis - this.#clock.unsafeCurrentTimeMillis()
      return rest <= 0 ? Effect.void : Effect.delay(this.unusedFor(millis), rest)
    })
  }
}

/** Of an endpoint that nobody has used yet. */
export const make: Effect.Effect<Usage> = Effect.map(Effect.clock, (clock) => new Usage(clock))
