import { Effect, Fiber, TestClock } from "effect"
import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"
import * as OpenCalls from "../../src/http-api/OpenCalls.js"
import { describe, expect, test } from "../support/vitest.js"

const begin = ({ began }: OpenCalls.OpenCalls) => {
  const response = new EventEmitter()
  began(response as ServerResponse)
  return () => void response.emit("close")
}

const isOver = Effect.fnUntraced(function*(wait: Effect.Effect<unknown>) {
  const fiber = yield* Effect.fork(wait)
  yield* TestClock.adjust(0)
  const exit = fiber.unsafePoll()
  yield* Fiber.interrupt(fiber)
  return exit !== null
})

describe("calls through the API that have no answer yet", () => {
  test.effect("[G7:unit] are waited for until the last of them is closed, each time that there are some", function*() {
    const calls = yield* OpenCalls.make
    expect(yield* isOver(calls.drained)).toBe(true)
    for (const _ of [1, 2]) {
      const [first, second] = [begin(calls), begin(calls)]
      first()
      expect(yield* isOver(calls.drained)).toBe(false)
      second()
      expect(yield* isOver(calls.drained)).toBe(true)
    }
    expect(yield* isOver(calls.stopped)).toBe(false)
  })

  test.effect("[G7:unit] are ended by an interrupt, which waits for their clients, and for no longer than a second", function*() {
    const calls = yield* OpenCalls.make
    const close = begin(calls)
    const quick = yield* Effect.fork(calls.interrupt)
    yield* TestClock.adjust(999)
    expect([quick.unsafePoll(), yield* isOver(calls.stopped)]).toEqual([null, true])
    close()
    yield* TestClock.adjust(0)
    expect(quick.unsafePoll()).not.toBeNull()
    begin(calls)
    const slow = yield* Effect.fork(Effect.uninterruptible(calls.interrupt))
    yield* TestClock.adjust(999)
    expect(slow.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(slow.unsafePoll()).not.toBeNull()
  })
})
