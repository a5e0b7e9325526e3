import { Deferred, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import * as Fibers from "../../src/text/Fibers.js"
import { describe, expect, test } from "../support/vitest.js"

const open = Effect.fnUntraced(function*(grace?: number) {
  const scope = yield* Scope.make()
  const fibers = yield* Scope.extend(Fibers.make(grace), scope)
  return { ...fibers, close: Scope.close(scope, Exit.void) }
})

describe("fibers that begin outside of any other", () => {
  test.effect("[L9:unit] begin in the step of their call, and end with the scope", function*() {
    const { close, fork } = yield* open()
    let begun = false
    const fiber = fork(Effect.zipRight(Effect.sync(() => (begun = true)), Effect.never))
    expect(begun).toBe(true)
    yield* close
    expect(fiber.unsafePoll()?._tag).toBe("Failure")
    begun = false
    fork(Effect.sync(() => (begun = true)))
    expect(begun).toBe(false)
  })

  test.effect("[L9:unit] may end what they are at, if they are given time for it", function*() {
    const { close, fork } = yield* open(1000)
    const gate = yield* Deferred.make<string>()
    const [quick, slow] = [fork(Deferred.await(gate)), fork(Effect.never)]
    const closing = yield* Effect.fork(close)
    yield* Effect.yieldNow()
    yield* Deferred.succeed(gate, "written")
    expect(yield* Fiber.join(quick)).toBe("written")
    yield* TestClock.adjust(999)
    expect(slow.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    yield* Fiber.join(closing)
    expect(slow.unsafePoll()?._tag).toBe("Failure")
  })

  test.live("[L9:unit] give a promise that is rejected with what went wrong, and not because the scope closes", function*() {
    const { close, promise } = yield* open()
    const settled: Array<unknown> = []
    const note = (value: unknown): void => void settled.push(value)
    void promise(Effect.never).then(note, note)
    void promise(Effect.succeed(1)).then(note, note)
    void promise(Effect.fail("wrong")).then(note, note)
    yield* close
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    expect(settled).toEqual([1, "wrong"])
  })
})
