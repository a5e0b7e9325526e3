import { describe, expect, it } from "@effect/vitest"
import type { Connection } from "@mcp-lifeline/core"
import { Deferred, Effect, Fiber, FiberId } from "effect"
import { Runtime } from "../../src/runtime/Runtime.js"

describe("a start that may go on without its attempt", () => {
  it.scoped("[V5 L9] is one start, also where its attempt is interrupted as it ends", () =>
    Effect.gen(function*() {
      const runtime = yield* Effect.acquireRelease(
        Runtime.make(1),
        (one) => Effect.zipRight(one.closeAttached, one.closeConnection)
      )
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
    }))
})
