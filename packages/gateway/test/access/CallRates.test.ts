import type { Clock } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { CallRates } from "../../src/access/CallRates.js"

type Command =
  | { readonly do: "take"; readonly who: number; readonly perMinute: number; readonly times: number }
  | { readonly do: "wait"; readonly millis: number }
  /** So many others call once: when they are many, buckets that are full are removed. */
  | { readonly do: "others"; readonly count: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("take" as const),
      who: fc.nat(4),
      perMinute: fc.constantFrom(1, 2, 60, 1000),
      times: fc.integer({ min: 1, max: 70 })
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      millis: fc.oneof(fc.constantFrom(0, 1, 60, 999, 1000, 1001, 59_999, 60_000, 60_001), fc.nat(130_000))
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("others" as const), count: fc.constantFrom(1, 1000, 2100) }) }
)

/** The same limit, of which no bucket is ever removed. */
class Ledger {
  readonly #buckets = new Map<string, { left: number; at: number }>()

  take(subject: string, perMinute: number, now: number): boolean {
    const bucket = this.#buckets.get(subject) ?? { left: perMinute, at: now }
    this.#buckets.set(subject, bucket)
    bucket.left = Math.min(perMinute, bucket.left + (now - bucket.at) * perMinute / 60_000)
    bucket.at = now
    if (bucket.left < 1 - 1e-6) return false
    bucket.left--
    return true
  }
}

/** `later`: what a clock shows at first that has run for long. */
const rated = (later = 0) => {
  let now = later
  const rates = new CallRates({ unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n } as Clock.Clock)
  return { rates, now: () => now, pass: (millis: number) => void (now += millis) }
}

describe("the limit of calls, of more callers than are kept", () => {
  it("[G22:unit] lets through the same as if everybody was kept: whoever is removed could make all calls again", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const { now, pass, rates } = rated(1_000_000)
        const ledger = new Ledger()
        let others = 0
        const take = (subject: string, perMinute: number): void => {
          const isAllowed = ledger.take(subject, perMinute, now())
          const wait = rates.take(subject, perMinute)
          expect([subject, now(), wait === 0]).toEqual([subject, now(), isAllowed])
          expect(wait).toBeLessThanOrEqual(60_000)
        }
        for (const one of commands) {
          switch (one.do) {
            case "take":
              for (let i = 0; i < one.times; i++) take(`person ${one.who}`, one.perMinute)
              break
            case "wait":
              pass(one.millis)
              break
            case "others":
              // The first of them begin at once, and the last come when there is no room.
              for (let i = 0; i < one.count; i++) rates.take(`other ${others++}`, 1)
          }
        }
      }),
      { numRuns: 60 }
    )
  })

  it("[G22:unit] says after how many milliseconds the next call may be made: then it may be, and not sooner", () => {
    for (const perMinute of [1, 2, 7, 60, 1000]) {
      const { pass, rates } = rated(1_000_000)
      for (let i = 0; i < perMinute; i++) expect(rates.take("one", perMinute)).toBe(0)
      for (let i = 0; i < 3; i++) {
        const wait = rates.take("one", perMinute)
        expect(Math.abs(wait - 60_000 / perMinute)).toBeLessThan(1)
        pass(wait - 1)
        expect(rates.take("one", perMinute)).toBe(1)
        pass(1)
        expect(rates.take("one", perMinute)).toBe(0)
      }
    }
  })

  it("[G22:unit] knows of a million callers, one after the other, no more than twice those of one minute", () => {
    let [sizeOf, most] = [() => 0, 0]
    const set = Map.prototype.set
    const { pass, rates } = rated()
    // The map of the buckets is whatever a caller is put into.
    Object.assign(Map.prototype, {
      set(this: Map<unknown, unknown>, key: unknown, value: unknown) {
        if (String(key).startsWith("caller ")) sizeOf = () => this.size
        return set.call(this, key, value)
      }
    })
    try {
      for (let i = 0; i < 1_000_000; i++) {
        rates.take(`caller ${i}`, 5)
        if (i % 20 === 0) pass(1000)
        most = Math.max(most, sizeOf())
      }
    } finally {
      Object.assign(Map.prototype, { set })
    }
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(2 * (60 * 20 + 1000))
  })
})
