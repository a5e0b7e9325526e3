import { Cause, Exit, FiberId } from "effect"
import { describe, expect, it } from "vitest"
import { CallCounts } from "../../src/http-api/CallCounts.js"

const interrupt = Cause.interrupt(FiberId.none)

describe("the calls of one server", () => {
  it("[G16:unit] are answered, failed, given up, or in flight; what was given up is no failure", () => {
    const counts = new CallCounts()
    expect(counts.counts).toEqual({ total: 0, failed: 0, givenUp: 0, inFlight: 0, p50Millis: null })
    for (let i = 0; i < 5; i++) counts.begin()
    counts.end(Exit.succeed(1), 10)
    counts.end(Exit.fail("no"), 1000)
    counts.end(Exit.failCause(interrupt), 2000)
    counts.end(Exit.failCause(Cause.parallel(interrupt, Cause.fail("no"))), 3000)
    expect(counts.counts).toEqual({ total: 5, failed: 2, givenUp: 1, inFlight: 1, p50Millis: 10 })
  })

  it("[G16, X5:unit] have the median of the last 200 durations of answers, in milliseconds with one digit", () => {
    const counts = new CallCounts()
    const answer = (millis: number) => {
      counts.begin()
      counts.end(Exit.succeed(1), millis)
      return counts.counts.p50Millis
    }
    expect([answer(30.04), answer(10), answer(20.06)]).toEqual([30, 10, 20.1])
    for (let i = 0; i < 200; i++) answer(5)
    expect(counts.counts.p50Millis).toBe(5)
    // More than half of the last 200, and the ones before are forgotten.
    for (let i = 0; i < 101; i++) answer(7)
    expect(counts.counts.p50Millis).toBe(7)
    for (let i = 0; i < 101; i++) answer(3)
    expect(counts.counts).toMatchObject({ total: 405, inFlight: 0, p50Millis: 3 })
  })
})
