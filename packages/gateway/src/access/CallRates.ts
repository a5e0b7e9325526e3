/**
 * A bucket of tokens for each caller, which holds the calls of a minute, and fills up steadily.
 */
import type { Clock } from "effect"

interface Bucket {
  left: number
  /** In milliseconds. */
  at: number
}

const minute = 60_000

/** Beyond so many buckets, full ones are removed. */
const maxIdle = 1000

export class CallRates {
  readonly #clock: Clock.Clock
  readonly #buckets = new Map<string, Bucket>()
  #swept = maxIdle

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  /** Returns 0 if a call may be made, and otherwise after how many milliseconds it may. */
  take(subject: string, perMinute: number): number {
    // Monotonic: setting the time changes nothing.
    const now = Number(this.#clock.unsafeCurrentTimeNanos() / 1_000_000n)
    const bucket = this.#buckets.get(subject) ?? this.#add(subject, { left: perMinute, at: now })
    bucket.left = Math.min(perMinute, bucket.left + Math.max(0, now - bucket.at) * perMinute / minute)
    bucket.at = now
    // Sums of parts may lack the last digit.
    if (bucket.left < 1 - 1e-6) return Math.max(1, Math.ceil((1 - bucket.left) * minute / perMinute - 1e-6))
    bucket.left--
    return 0
  }

  #add(subject: string, bucket: Bucket): Bucket {
    if (this.#buckets.size >= this.#swept) {
      // The bucket is full again.
      for (const [key, { at }] of this.#buckets) if (bucket.at - at >= minute) this.#buckets.delete(key)
      this.#swept = Math.max(maxIdle, 2 * this.#buckets.size)
    }
    this.#buckets.set(subject, bucket)
    return bucket
  }
}
