import { Effect, Fiber, TestClock } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { Dispatch } from "../src/Dispatch.js"
import type * as EventStream from "../src/EventStream.js"
import * as HttpFailure from "../src/HttpFailure.js"
import * as ResponseStream from "../src/ResponseStream.js"
import * as Played from "./fixtures/Played.js"

const { refused, reset, target } = Played

const status = (code: number) => Played.status(code, { session: true })

const resuming = (
  outcome: (opened: number, exchange: ResponseStream.Exchange) => EventStream.End | HttpFailure.HttpFailure,
  retry?: number
) =>
  Effect.gen(function*() {
    const heard: Array<string> = []
    let opened = 0
    const exchange: ResponseStream.Exchange = {
      id: 1,
      dispatch: Dispatch.done(),
      fiber: undefined,
      answered: false,
      lastEventId: "1",
      retry
    }
    const fiber = yield* Effect.fork(Effect.either(ResponseStream.resume(exchange, { cause: undefined }, {
      open: () =>
        Effect.suspend(() => {
          const result = outcome(++opened, exchange)
          return "_tag" in result ? Effect.fail(result) : Effect.succeed(result)
        }),
      target,
      onLost: () => heard.push("lost"),
      onGone: () => heard.push("gone")
    })))
    return { fiber, exchange, heard, opened: () => opened }
  })

describe("a response stream that was cut", () => {
  test.effect("[C6:virtual] one that the server takes for still open is asked for again; another refusal ends its request", function*() {
    for (
      const [refusal, opens, reason, told] of [
        [status(409), 6, "network", []],
        [status(404), 1, "session", ["lost"]],
        [status(500), 1, "network", []],
        [new HttpFailure.CutFailure({ detail: "cut" }), 1, "network", []],
        [new HttpFailure.AnswerFailure({ detail: "text/html" }), 1, "network", []]
      ] as const
    ) {
      const { fiber, heard, opened } = yield* resuming(() => refusal)
      yield* TestClock.adjust("1 hour")
      const ended = yield* Fiber.join(fiber)
      assert.strictEqual(ended._tag, "Left")
      if (ended._tag === "Left") assert.deepInclude(ended.left, { fate: "unknown", reason })
      assert.deepStrictEqual([opened(), heard], [opens, [...told]])
    }
  })

  test.effect("[C6:virtual] an answer that is none, in a stream that was resumed, is the answer", function*() {
    const { fiber, opened } = yield* resuming(() => ({ cause: new HttpFailure.AnswerFailure({ detail: "no JSON" }) }))
    yield* TestClock.adjust("1 hour")
    const ended = yield* Fiber.join(fiber)
    assert.strictEqual(ended._tag, "Left")
    if (ended._tag === "Left") assert.deepInclude(ended.left, { fate: "answered", reason: "protocol" })
    assert.strictEqual(opened(), 1)
  })

  test.effect("[C6:virtual] is given up after six failures in a row, and its request is unknown", function*() {
    const { fiber, heard, opened } = yield* resuming(() => reset)
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(opened(), 6)
    const ended = yield* Fiber.join(fiber)
    assert.deepInclude(ended._tag === "Left" && ended.left, { fate: "unknown", reason: "network" })
    assert.deepStrictEqual(heard, [])
  })

  test.effect("[C6:virtual] one that could be opened between them begins the count anew", function*() {
    const { exchange, fiber, opened } = yield* resuming((opened, exchange) => {
      if (opened === 60) exchange.answered = true
      return opened % 6 === 0 ? { cause: undefined } : reset
    })
    yield* TestClock.adjust("1 day")
    assert.strictEqual(opened(), 60)
    assert.isTrue(exchange.answered)
    assert.strictEqual((yield* Fiber.join(fiber))._tag, "Right")
  })

  test.effect("[C6:virtual] a server that has its clients ask again at once is asked twice a second at most", function*() {
    const { fiber, opened } = yield* resuming(() => ({ cause: undefined }), 0)
    yield* TestClock.adjust("10 seconds")
    assert.isAtMost(opened(), 21)
    assert.isAtLeast(opened(), 20)
    yield* Fiber.interrupt(fiber)
  })

  test.effect("[C6:virtual] one that asks for days is asked again after a minute", function*() {
    const { fiber, opened } = yield* resuming(() => ({ cause: undefined }), 1e9)
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(opened(), 1)
    yield* Fiber.interrupt(fiber)
  })

  test.effect("[C6:virtual] is not opened for a request that was answered meanwhile", function*() {
    const { exchange, fiber, opened } = yield* resuming(() => reset)
    yield* TestClock.adjust(49)
    exchange.answered = true
    yield* TestClock.adjust(51)
    assert.deepStrictEqual([(yield* Fiber.join(fiber))._tag, opened()], ["Right", 0])
  })

  test.effect("[C6:virtual] where nobody listens, the server is gone, and the request waits for what follows from that", function*() {
    const { fiber, heard, opened } = yield* resuming(() => refused)
    yield* TestClock.adjust("1 hour")
    assert.isNull(fiber.unsafePoll())
    assert.deepStrictEqual([heard, opened()], [["gone"], 1])
    yield* Fiber.interrupt(fiber)
  })
})
