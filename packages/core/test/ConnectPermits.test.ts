import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, TestClock } from "effect"
import * as ConnectPermits from "../src/supervisor/ConnectPermits.js"

describe("permits to connect", () => {
  for (
    const [name, attempt] of [["succeeds", Effect.void], ["fails", Effect.fail("no")], [
      "dies",
      Effect.die("no")
    ]] as const
  ) {
    it.effect(`[L14] an attempt that ${name} leaves no timer behind, and gives its permit back`, () =>
      Effect.gen(function*() {
        const permits = ConnectPermits.make(1)
        const exits = yield* Effect.forEach([1, 2], () => Effect.exit(permits.withPermit(attempt)))
        assert.isTrue(exits.every((exit) => Exit.isSuccess(exit) === (name === "succeeds")))
        yield* TestClock.adjust(0)
        assert.strictEqual(Chunk.size(yield* TestClock.sleeps()), 0)
      }))
  }

  it.effect("[L14] who gives up waiting is passed over, and keeps no permit from those behind", () =>
    Effect.gen(function*() {
      const permits = ConnectPermits.make(1)
      const began: Array<string> = []
      const attempt = (name: string) =>
        Effect.fork(permits.withPermit(Effect.zipRight(Effect.sync(() => began.push(name)), Effect.never)))
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
    }))
})
