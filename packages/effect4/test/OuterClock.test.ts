import { Clock, Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import * as OuterClock from "../src/OuterClock.js"

const inVirtualTime = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.provide(Effect.scoped(test), TestClock.layer()))

const outer = Effect.map(Effect.context<never>(), (context) => OuterClock.make(context) ?? assert.fail("no clock"))

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("the clock of a program", () => {
  it("[N2:unit] is none where it is the real one", async () => {
    assert.isUndefined(OuterClock.make(await Effect.runPromise(Effect.context<never>())))
  })

  it("[N2:virtual] fires a timer when it is due, once, and none that was cancelled; neither is left", async () => {
    await inVirtualTime(Effect.gen(function*() {
      const clock = yield* outer
      const { timers } = OuterClock.innerOf(yield* Clock.Clock)
      yield* TestClock.adjust("5 seconds")
      assert.deepEqual([clock.millis(), clock.nanos()], [5000, 5_000_000_000n])
      const fired: Array<string> = []
      clock.after(1000, () => fired.push("one"))
      const cancel = clock.after(1000, () => fired.push("cancelled"))
      clock.after(2000, () => fired.push("two"))
      assert.deepEqual([...timers.values()], [6000, 6000, 7000])
      yield* turn
      cancel()
      assert.deepEqual([...timers.values()], [6000, 7000])
      yield* TestClock.adjust("999 millis")
      yield* turn
      assert.deepEqual(fired, [])
      yield* TestClock.adjust("1 millis")
      yield* turn
      assert.deepEqual([fired, [...timers.values()]], [["one"], [7000]])
      yield* TestClock.adjust("1 hour")
      yield* turn
      assert.deepEqual([fired, timers.size], [["one", "two"], 0])
    }))
  })

  it("[N2:unit] knows what is to be done at each time of it, and nothing of other clocks", async () => {
    const of = Effect.gen(function*() {
      const clock = yield* outer
      const inner = OuterClock.innerOf(yield* Clock.Clock)
      for (let n = 0; n < 3; n++) clock.due()
      clock.ran()
      assert.deepEqual([inner.due, inner.ran], [2, 1])
      assert.strictEqual(OuterClock.innerOf(yield* Clock.Clock), inner)
      return inner
    })
    assert.notStrictEqual(await inVirtualTime(of), await inVirtualTime(of))
  })
})
