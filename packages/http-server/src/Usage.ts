import type { Clock } from "effect"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"

/** The least time for the first client to come, in milliseconds. */
const firstWithin = 20_000

export class Usage {
  readonly #clock: Clock.Clock
  readonly #startedAt: number
  #open = 0
  #usedAt: number | undefined

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.#startedAt = clock.unsafeCurrentTimeMillis()
  }

  began(response: ServerResponse): void {
    this.#open++
    response.on("close", () => {
      this.#open--
      this.#usedAt = this.#clock.unsafeCurrentTimeMillis()
    })
  }

  /** Completes once unused for so long, in milliseconds; before the first use, not in the first 20 s. */
  unusedFor(millis: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const end = this.#usedAt === undefined ? this.#startedAt + Math.max(millis, firstWithin) : this.#usedAt + millis
      const rest = this.#open > 0 ? Number.POSITIVE_INFINITY : end - this.#clock.unsafeCurrentTimeMillis()
      return rest <= 0 ? Effect.void : Effect.delay(this.unusedFor(millis), Math.min(rest, Math.max(millis, 1000)))
    })
  }
}

export const make: Effect.Effect<Usage> = Effect.map(Effect.clock, (clock) => new Usage(clock))
