/**
 * How many calls each caller may still make: a bucket of tokens, which holds as many as a minute allows, and fills up steadily.
 */
import type { Clock } from "effect"

interface Bucket {
  /** How many calls are left. */
  left: number
  /** When that was so, in milliseconds. */
  at: number
}

const minute = 60_000

/** With more buckets than this, those that are full are removed. */
const maxIdle = 1000

export class CallRates {
  readonly #clock: Clock.Clock
  readonly #buckets = new Map<string, Bucket>()
  #swept = maxIdle

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  /** Counts a call. Returns 0 if it may be made, and otherwise after how many milliseconds it may. */
  take(subject: string, perMinute: number): number {
    // Of a clock that goes on when somebody sets the time.
    const now = Number(this.#clock.unsafeCurrentTimeNanos() / 1_000_000n)
    const bucket = this.#buckets.get(subject) ?? this.#add(subject, { left: perMinute, at: now })
    bucket.left = Math.min(perMinute, bucket.left + Math.max(0, now - bucket.at) * perMinute / minute)
    bucket.at = now
    // What was added in parts may lack the last digit.
    if (bucket.left < 1 - 1e-6) return Math.max(1, Math.ceil((1 - bucket.left) * minute / perMinute - 1e-6))
    bucket.left--
    return 0
  }

  #add(subject: string, bucket: Bucket): Bucket {
    if (this.#buckets.size >= this.#swept) {
      // Whoever has made no call for a minute has all of them again.
      for (const [key, { at }] of this.#buckets) if (bucket.at - at >= minute) this.#buckets.delete(key)
      this.#swept = Math.max(maxIdle, 2 * this.#buckets.size)
    }
    this.#buckets.set(subject, bucket)
    return bucket
  }
}
