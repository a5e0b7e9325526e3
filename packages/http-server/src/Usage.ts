/**
 * Knows whether an endpoint is in use: counts open requests and streams, and remembers when the last one ended.
 */
import type { Clock } from "effect"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"

/** Counts open requests and streams. */
export class Usage {
  readonly #clock: Clock.Clock
  #open = 0
  #usedAt: number

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.#usedAt = clock.unsafeCurrentTimeMillis()
  }

  /** Counts a request as open until its response closes. */
  began(response: ServerResponse): void {
    this.#open++
    response.once("close", () => {
      this.#open--
      this.#usedAt = this.#clock.unsafeCurrentTimeMillis()
    })
  }

  /** Completes once the endpoint has been unused for this long, in milliseconds. */
  unusedFor(millis: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const rest = this.#open > 0 ? millis : this.#usedAt + millis - this.#clock.unsafeCurrentTimeMillis()
      return rest <= 0 ? Effect.void : Effect.delay(this.unusedFor(millis), rest)
    })
  }
}

/** Starts with an unused endpoint. */
export const make: Effect.Effect<Usage> = Effect.map(Effect.clock, (clock) => new Usage(clock))
