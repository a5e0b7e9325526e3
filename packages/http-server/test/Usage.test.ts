import { Effect, Fiber, Option, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Usage from "../src/Usage.js"
import * as Reader from "./support/Reader.js"

const unusedFor = (seconds: number) =>
  Effect.gen(function*() {
    const usage = yield* Usage.make
    const fiber = yield* Effect.fork(usage.unusedFor(seconds * 1000))
    return {
      begin: Effect.sync(() => {
        const { leave, response } = Reader.make()
        usage.began(response)
        return Effect.sync(leave)
      }),
      after: (seconds: number) =>
        Effect.zipRight(TestClock.adjust(seconds * 1000), Effect.map(Fiber.poll(fiber), Option.isSome))
    }
  })

const unused = unusedFor(10)

describe("an endpoint that nobody uses", () => {
  test.effect("[X5:virtual] is known as such once nobody has used it for so long", function*() {
    const { after, begin } = yield* unused
    yield* yield* begin
    expect([yield* after(9.9), yield* after(0.1)]).toEqual([false, true])
  })

  test.effect("[X5:virtual] waits at least twenty seconds for the first who uses it", function*() {
    const { after, begin } = yield* unused
    expect(yield* after(19.9)).toBe(false)
    const end = yield* begin
    expect(yield* after(30)).toBe(false)
    yield* end
    expect([yield* after(9.9), yield* after(0.1)]).toEqual([false, true])
    const alone = yield* unused
    expect([yield* alone.after(19.9), yield* alone.after(0.1)]).toEqual([false, true])
  })

  test.effect("[X5:virtual] is in use as long as a request is open, and was used when the last one ended", function*() {
    const { after, begin } = yield* unused
    expect(yield* after(9)).toBe(false)
    const [endFirst, endSecond] = [yield* begin, yield* begin]
    expect(yield* after(25)).toBe(false)
    yield* endFirst
    expect(yield* after(25)).toBe(false)
    yield* endSecond
    expect([yield* after(9.9), yield* after(0.2)]).toEqual([false, true])
  })

  test.effect("[X5:virtual] ends within a second of the last one, where it shall not wait", function*() {
    const { after, begin } = yield* unusedFor(0)
    const end = yield* begin
    expect(yield* after(60)).toBe(false)
    yield* end
    expect(yield* after(1)).toBe(true)
  })
})
