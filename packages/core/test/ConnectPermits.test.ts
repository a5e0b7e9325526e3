import { Chunk, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as ConnectPermits from "../src/supervisor/ConnectPermits.js"

const nobody = (): ConnectPermits.Awaited => ({ isAwaited: false, onAwaited: undefined })

describe("permits to connect", () => {
  for (
    const [name, attempt] of [["succeeds", Effect.void], ["fails", Effect.fail("no")], [
      "dies",
      Effect.die("no")
    ]] as const
  ) {
    test.effect(`[L14] an attempt that ${name} leaves no timer behind, and gives its permit back`, function*() {
      const permits = ConnectPermits.make(1)
      const exits = yield* Effect.forEach([1, 2], () => Effect.exit(permits.withPermit(attempt, nobody())))
      assert.isTrue(exits.every((exit) => Exit.isSuccess(exit) === (name === "succeeds")))
      yield* TestClock.adjust(0)
      assert.strictEqual(Chunk.size(yield* TestClock.sleeps()), 0)
    })
  }

  test.effect("[R14] who is waited for goes first, whenever that began; all others keep their order", function*() {
    const permits = ConnectPermits.make(1)
    const began: Array<string> = []
    const waiting = new Map<string, { isAwaited: boolean; onAwaited: (() => void) | undefined }>()
    const attempts = new Map<string, Fiber.RuntimeFiber<void>>()
    for (const name of ["a", "b", "c", "d", "e", "f"]) {
      const attempt = Effect.zipRight(Effect.sync(() => began.push(name)), Effect.never)
      const awaited = { ...nobody(), isAwaited: name === "f" }
      waiting.set(name, awaited)
      attempts.set(name, yield* Effect.fork(permits.withPermit(attempt, awaited)))
      yield* TestClock.adjust(0)
    }
    const come = (name: string) => {
      const awaited = waiting.get(name)!
      awaited.isAwaited = true
      awaited.onAwaited?.()
    }
    // "a" is under way, and "d" is asked for twice.
    for (const [ends, next] of [["a", "d"], ["f", "d"], ["d", "e"], ["e", "a"], ["b", ""], ["c", ""]]) {
      if (next !== "") come(next!)
      yield* Fiber.interrupt(attempts.get(ends!)!)
      yield* TestClock.adjust(0)
    }
    assert.deepStrictEqual(began, ["a", "f", "d", "e", "b", "c"])
    assert.isTrue([...waiting.values()].every(({ onAwaited }) => onAwaited === undefined))
  })

  test.effect("[L14] a release looks at no attempt but the next, however many wait", function*() {
    const permits = ConnectPermits.make(1)
    let looks = 0
    const awaited = {
      get isAwaited() {
        looks++
        return false
      },
      onAwaited: undefined
    }
    const attempts = Array.from({ length: 500 }, () => permits.withPermit(Effect.yieldNow(), awaited))
    yield* Effect.all(attempts, { concurrency: "unbounded" })
    assert.isAtMost(looks, attempts.length)
  })

  test.effect("[L14] who gives up waiting is passed over, and keeps no permit from those behind", function*() {
    const permits = ConnectPermits.make(1)
    const began: Array<string> = []
    const attempt = (name: string) =>
      Effect.fork(permits.withPermit(Effect.zipRight(Effect.sync(() => began.push(name)), Effect.never), nobody()))
    const first = yield* attempt("first")
    yield* TestClock.adjust(0)
    const second = yield* attempt("second")
    yield* TestClock.adjust(0)
    yield* attempt("third")
    yield* TestClock.adjust(0)
    yield* Fiber.interrupt(second)
    assert.deepStrictEqual(began, ["first"])
    yield* Fiber.interrupt(first)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(began, ["first", "third"])
  })
  test.effect("[L14] an attempt gives its permit back after two seconds, and goes on; so does the next one", function*() {
    const permits = ConnectPermits.make(1)
    const began: Array<string> = []
    const attempts: Array<Fiber.RuntimeFiber<void>> = []
    for (const name of ["a", "b", "c"]) {
      const attempt = Effect.zipRight(Effect.sync(() => began.push(name)), Effect.never)
      attempts.push(yield* Effect.fork(permits.withPermit(attempt, nobody())))
      yield* TestClock.adjust(0)
    }
    for (const expected of [["a"], ["a", "b"]]) {
      yield* TestClock.adjust(1999)
      assert.deepStrictEqual(began, expected)
      yield* TestClock.adjust(1)
    }
    assert.deepStrictEqual(began, ["a", "b", "c"])
    assert.isTrue(attempts.every((attempt) => attempt.unsafePoll() === null))
  })

  test.effect("[V10:virtual] what begins beside an attempt takes a free permit for two seconds, or does not begin", function*() {
    const permits = ConnectPermits.make(2)
    const work = (name: string) => Effect.as(Effect.delay(Effect.void, 10_000), name)
    yield* Effect.fork(permits.withPermit(work("first"), nobody()))
    const beside = yield* Effect.fork(permits.beside(work("beside")))
    yield* TestClock.adjust(0)
    assert.isTrue(Option.isNone(yield* permits.beside(work("third"))))
    yield* TestClock.adjust(2000)
    const last = yield* Effect.fork(permits.beside(Effect.void))
    yield* TestClock.adjust(8000)
    assert.deepStrictEqual(yield* Fiber.join(beside), Option.some("beside"))
    assert.isTrue(Option.isSome(yield* Fiber.join(last)))
    assert.isTrue(Option.isSome(yield* ConnectPermits.after(Effect.never, permits).beside(Effect.void)))
    assert.isTrue(Option.isSome(yield* ConnectPermits.unbounded.beside(Effect.void)))
  })
})
