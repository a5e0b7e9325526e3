import { Effect, TestClock } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { kinds, turn } from "./fixtures/Played.js"

const session = (worker: { isSingle: boolean }) =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const made = yield* Effect.promise(() => kinds.streamable(60_000, worker, runtime))
    const streams = () => made.asked.filter(({ ask }) => ask.method === "GET")
    yield* Effect.promise(async () => {
      const begun = await made.send({ method: "notifications/initialized" })
      await begun.exchange.answer(202)
      await turn()
    })
    const open = Effect.promise(() => streams().at(-1)!.stream())
    const call = (id: number) => Effect.promise(() => made.call(id))
    const pass = (millis: number) => Effect.zipRight(TestClock.adjust(millis), Effect.promise(turn))
    return { call, open, pass, streams }
  })

describe("a server that answers nothing while its stream is open", () => {
  test.effect("[T4:virtual] has it closed after a call without an answer, and in its later sessions", function*() {
    const worker = { isSingle: false }
    const { call, open, pass, streams } = yield* session(worker)
    yield* open
    const first = yield* call(1)
    yield* pass(2999)
    assert.isFalse(streams()[0]!.isInterrupted)
    yield* pass(1)
    assert.isTrue(streams()[0]!.isInterrupted)
    yield* Effect.promise(() => first.exchange.json({ result: {} }))
    yield* pass(60_000)
    assert.strictEqual(first.outcome.value, "sent")
    assert.lengthOf(streams(), 1)
    const later = yield* session(worker)
    yield* later.pass(60_000)
    assert.lengthOf(later.streams(), 0)
  })

  test.effect("[T4:virtual] is found also where a call that was sent before the stream was open is answered; not where a later one is", function*() {
    for (const isLater of [false, true]) {
      const { call, open, pass, streams } = yield* session({ isSingle: false })
      if (isLater) yield* open
      const first = yield* call(1)
      if (!isLater) yield* open
      yield* Effect.promise(() => first.exchange.json({ result: {} }))
      yield* call(2)
      yield* pass(6000)
      assert.strictEqual(streams()[0]!.isInterrupted, !isLater)
    }
  })

  test.effect("[T4:virtual] but is only slow, has it again, once, and in its later sessions", function*() {
    const worker = { isSingle: false }
    const { call, open, pass, streams } = yield* session(worker)
    yield* open
    yield* call(1)
    yield* pass(3000)
    yield* pass(1000)
    assert.lengthOf(streams(), 2)
    yield* call(2)
    yield* pass(60_000)
    assert.isFalse(streams()[1]!.isInterrupted)
    assert.lengthOf((yield* session(worker)).streams(), 1)
  })
})
