/**
 * The fibers that are begun outside of any other fiber: when a message, a request or an event of the operating system comes. They belong to
 * the scope in which they are made.
 */
import { Cause, type Duration, Effect, Exit, type Fiber, FiberSet, type Scope } from "effect"

/** Begins fibers. */
export interface Fibers {
  /** Begins in this step. */
  readonly fork: <A, E>(work: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  /** The same for who waits for the value, who waits for ever if the scope closes before: he is told otherwise that it is over. */
  readonly promise: <A, E>(work: Effect.Effect<A, E>) => Promise<A>
}

/** What is under way when the scope closes is interrupted; `grace`: once it has had so long to end. */
export const make = (grace?: Duration.DurationInput): Effect.Effect<Fibers, never, Scope.Scope> =>
  Effect.gen(function*() {
    const all = yield* FiberSet.make<unknown, unknown>()
    if (grace !== undefined) {
      yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(FiberSet.awaitEmpty(all)), grace))
    }
    const fork = yield* FiberSet.runtime(all)<never>()
    return {
      fork,
      promise: <A, E>(work: Effect.Effect<A, E>) =>
        new Promise<A>((resolve, reject) =>
          fork(work).addObserver((exit) => {
            if (Exit.isSuccess(exit)) resolve(exit.value)
            else if (!Cause.isInterruptedOnly(exit.cause)) reject(Cause.squash(exit.cause))
          })
        )
    }
  })
