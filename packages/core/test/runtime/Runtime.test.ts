import type { Connection } from "@mcp-lifeline/core"
import { Deferred, Effect, Fiber, FiberId } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import { Runtime } from "../../src/runtime/Runtime.js"

const made = Effect.acquireRelease(
  Runtime.make(1),
  (one) => Effect.zipRight(one.closeAttached, one.closeConnection)
)

describe("a start that may go on without its attempt", () => {
  test.scoped("[V5 L9] is one start, also where its attempt is interrupted as it ends", function*() {
    const runtime = yield* made
    const connection = {} as Connection
    const started = yield* Deferred.make<Connection>()
    let starts = 0
    const acquire = runtime.acquire(Effect.suspend(() => (starts++, Deferred.await(started))), true)
    const attempt = yield* Effect.fork(acquire)
    yield* Effect.yieldNow()
    // After those who wait for it were told, and before they run.
    runtime.awaited?.addObserver(() => attempt.unsafeInterruptAsFork(FiberId.none))
    yield* Deferred.succeed(started, connection)
    expect((yield* Fiber.await(attempt))._tag).toBe("Failure")
    expect(yield* acquire).toBe(connection)
    expect(starts).toBe(1)
  })
})

describe("questions without an answer", () => {
  test.scoped("[H1 H4] count one after the other, however many fail at once, and until the next answer", function*() {
    const runtime = yield* made
    expect(runtime.failed(0, 1000, 5000)).toBe(1)
    // It had begun before.
    expect(runtime.failed(900, 2000, 5000)).toBe(1)
    // What has broken in that moment had no time to mend.
    expect(runtime.failed(4000, 6000, 5000)).toBe(1)
    expect(runtime.failed(6000, 7000, 5000)).toBe(2)
    runtime.answered(7500)
    expect(runtime.traffic.failures.count).toBe(0)
    expect(runtime.failed(12_000, 12_000, 0)).toBe(1)
  })

  test.scoped("[K11 H4] count also where the clock has been set back", function*() {
    const runtime = yield* made
    expect(runtime.failed(3_600_000, 3_600_000, 10_000)).toBe(1)
    expect(runtime.failed(10_000, 20_000, 0)).toBe(2)
    expect(runtime.failed(20_000, 30_000, 0)).toBe(3)
  })
})
