/**
 * Starts fibers from callbacks: for a message, a request or an event of the operating system. The fibers belong to the scope of `make`.
 */
import { Cause, type Duration, Effect, Exit, type Fiber, FiberSet, type Scope } from "effect"

export interface Fibers {
  /** Starts a fiber synchronously. */
  readonly fork: <A, E>(work: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  /**
   * Starts a fiber and returns a promise of its value. If the scope closes first, the promise never settles: the caller has to learn about
   * the end in another way.
   */
  readonly promise: <A, E>(work: Effect.Effect<A, E>) => Promise<A>
}

/** Closing the scope interrupts all running fibers; with `grace`, it first waits this time for them to end. */
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
