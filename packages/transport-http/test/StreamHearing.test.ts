import { Deferred, Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { StreamHearing } from "../src/StreamHearing.js"

const hearing = Effect.sync(() => {
  const reports: Array<boolean> = []
  const made = new StreamHearing((hears) => void reports.push(hears))
  const attempt = (opensAfter: number, trusted = 0) =>
    Effect.gen(function*() {
      const opened = yield* Deferred.make<void>()
      yield* Effect.fork(Effect.delay(Deferred.succeed(opened, undefined), opensAfter))
      const fiber = yield* Effect.fork(made.during(Deferred.await(opened), trusted))
      yield* TestClock.adjust(0)
      return fiber
    })
  return { attempt, made, reports }
})

describe("whether messages arrive on the stream of the server", () => {
  test.scoped("[P9:virtual] they do at first; a stream that is not open after five seconds brings nothing, until it is open", function*() {
    const { attempt, reports } = yield* hearing
    yield* attempt(6000)
    yield* TestClock.adjust(4999)
    expect(reports).toEqual([])
    yield* TestClock.adjust(1)
    expect(reports).toEqual([false])
    yield* TestClock.adjust(1000)
    expect(reports).toEqual([false, true])
  })

  test.scoped("[P9:virtual] a stream that is open in time changes nothing", function*() {
    const { attempt, reports } = yield* hearing
    yield* attempt(4999, 10_000)
    yield* TestClock.adjust("1 hour")
    expect(reports).toEqual([])
  })

  test.scoped("[P9:virtual] each end is reported once; that they arrive again at most every 30 seconds, also the third time", function*() {
    const { attempt, made, reports } = yield* hearing
    const expected: Array<boolean> = []
    for (const pause of [0, 30_000, 30_000]) {
      made.ended()
      made.ended()
      expected.push(false)
      const open = yield* attempt(0)
      if (pause > 0) {
        yield* TestClock.adjust(pause - 1)
        expect(reports).toEqual(expected)
        yield* TestClock.adjust(1)
      }
      expected.push(true)
      expect(reports).toEqual(expected)
      yield* Fiber.interrupt(open)
    }
  })

  test.scoped("[P9:virtual] a stream that ends before it was heard for as long as it has to be says nothing, each time", function*() {
    const { attempt, made, reports } = yield* hearing
    made.ended()
    for (let i = 0; i < 3; i++) {
      const open = yield* attempt(0, 10_000)
      yield* TestClock.adjust(9999)
      yield* Fiber.interrupt(open)
      made.ended()
    }
    expect(reports).toEqual([false])
    yield* attempt(0, 10_000)
    yield* TestClock.adjust(10_000)
    expect(reports).toEqual([false, true])
  })
})
