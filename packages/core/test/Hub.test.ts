import { Deferred, Effect, Fiber, Logger, Stream } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { Hub } from "../src/internal/Hub.js"
import { runUntilIdle } from "./support/Watched.js"

describe("what many listen to", () => {
  it.effect("[O3] a reader that falls behind loses the oldest values, and is told in its log how many", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel.label === "WARN") warnings.push(String(message))
    })
    return Effect.gen(function*() {
      const hub = new Hub<number>(10)
      const [slow, quick]: [Array<number>, Array<number>] = [[], []]
      const began = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const reading = yield* Effect.fork(Stream.runForEach(hub.stream(), (value) =>
        Effect.suspend(() => {
          slow.push(value)
          return value === 0 ? Effect.zipRight(Deferred.succeed(began, undefined), Deferred.await(go)) : Effect.void
        })))
      const other = yield* Effect.fork(Stream.runForEach(hub.stream(), (value) => Effect.sync(() => quick.push(value))))
      yield* runUntilIdle
      hub.emit(0)
      yield* Deferred.await(began)
      for (let value = 1; value <= 35; value++) {
        hub.emit(value)
        yield* runUntilIdle
      }
      hub.end()
      yield* Deferred.succeed(go, undefined)
      yield* Effect.all([Fiber.join(reading), Fiber.join(other)])
      assert.deepStrictEqual(slow, [0, ...Array.from({ length: 15 }, (_, i) => 21 + i)])
      assert.strictEqual(quick.length, 36)
      assert.strictEqual(warnings.length, 1)
      assert.include(warnings[0], "20 were dropped")
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  const watched = () => {
    const hub = new Hub<number>()
    const stopped: Array<string> = []
    const listen = hub.listen.bind(hub)
    hub.listen = (...args) => {
      const stop = listen(...args)
      return () => {
        stopped.push("stopped")
        stop()
      }
    }
    return { hub, stopped }
  }

  test.effect("a stream that ends, is interrupted or never begins leaves no listener behind", function*() {
    const { hub, stopped } = watched()
    const interrupted = yield* Effect.fork(Stream.runDrain(hub.stream()))
    const taken = yield* Effect.fork(Stream.runHead(hub.stream()))
    yield* runUntilIdle
    yield* Fiber.interrupt(interrupted)
    hub.emit(1)
    yield* Fiber.join(taken)
    hub.end()
    yield* Stream.runDrain(hub.stream())
    assert.strictEqual(stopped.length, 3)
  })

  test.effect("an effect for each value runs one after the other, from those before to the end, and leaves no listener behind", function*() {
    const { hub, stopped } = watched()
    const seen: Array<string> = []
    const all = yield* Effect.fork(hub.forEachAfter(() => [1], (value) =>
      Effect.gen(function*() {
        seen.push(`${value} begins`)
        yield* Effect.yieldNow()
        seen.push(`${value} ends`)
      })))
    const interrupted = yield* Effect.fork(hub.forEachAfter(() => [], () => Effect.never))
    yield* runUntilIdle
    hub.emit(2)
    hub.emit(3)
    yield* runUntilIdle
    yield* Fiber.interrupt(interrupted)
    assert.strictEqual(stopped.length, 1)
    hub.end()
    yield* Fiber.join(all)
    assert.deepStrictEqual(seen, [1, 2, 3].flatMap((value) => [`${value} begins`, `${value} ends`]))
    assert.strictEqual(stopped.length, 2)
  })
})
