/** By name: several backends may share one, each for a client of its own. */
import type { Meter } from "./Meter.js"
import * as Names from "./Names.js"

/** The lowest of each name counts. */
export class HealthScores {
  readonly #scores = new Map<string, Map<object, number>>()
  readonly #meter: Meter

  constructor(meter: Meter) {
    this.#meter = meter
  }

  /** `undefined`: the backend is closed. */
  set(backend: string, one: object, score: number | undefined): void {
    const scores = this.#scores.get(backend) ?? new Map<object, number>()
    if (score === undefined) scores.delete(one)
    else scores.set(one, score)
    if (scores.size === 0) this.#scores.delete(backend)
    else this.#scores.set(backend, scores)
    this.#meter.record(Names.health, Math.min(1, ...scores.values()), { [Names.attribute.backend]: backend })
  }
}
