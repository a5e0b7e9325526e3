/**
 * Only these functions, and `supervisor/RuntimeOwner.ts`, close scopes. `Scope.close` marks a scope as closed before its
 * finalizers run, so an interrupted close can never be finished: each is uninterruptible.
 */
import { Effect, Exit, Fiber, Option, Scope } from "effect"
import { awaitAtMost, pollFor } from "./races.js"
import { firstLineOf } from "./thrown.js"

export interface Outcome {
  readonly outcome: "closed" | "failed" | "abandoned"
  readonly message: string | undefined
}

/** A longer close is abandoned: it goes on in its own fiber. */
export const closeWithin = (close: Effect.Effect<void>, millis: number): Effect.Effect<Outcome> =>
  Effect.flatMap(
    Effect.forkDaemon(Effect.uninterruptible(close)),
    (fiber) =>
      Effect.map(awaitAtMost(fiber, millis), (ended): Outcome => {
        if (Option.isNone(ended)) return { outcome: "abandoned", message: `close did not end within ${millis} ms` }
        return Exit.isSuccess(ended.value)
          ? { outcome: "closed", message: undefined }
          : { outcome: "failed", message: firstLineOf(ended.value.cause) }
      })
  )

/** For the scope of a whole backend, whose finalizer is bounded. */
export const closeFully = (scope: Scope.CloseableScope): Effect.Effect<void> =>
  Effect.uninterruptible(Scope.close(scope, Exit.void))

/**
 * The next 32 begin when the 32nd has closed, or 64 turns later: a slow one delays no other, and thousands are not half
 * closed at once (3 s for 10,000).
 */
export const closeAll = (scopes: ReadonlyArray<Scope.CloseableScope>): Effect.Effect<void> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const closing: Array<Fiber.RuntimeFiber<void>> = []
    for (const [i, scope] of scopes.entries()) {
      const fiber = yield* Effect.forkDaemon(closeFully(scope))
      closing.push(fiber)
      if (i % 32 === 31) yield* pollFor(fiber, 64)
    }
    const exits = yield* Fiber.awaitAll(closing)
    for (const exit of exits) if (Exit.isFailure(exit)) return yield* exit
  }))
