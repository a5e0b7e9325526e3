import { Cause, type Duration, Effect, Exit, type Fiber, FiberSet, type Scope } from "effect"

export interface Fibers {
  readonly fork: <A, E>(work: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  /** If the scope closes first, the promise never settles. */
  readonly promise: <A, E>(work: Effect.Effect<A, E>) => Promise<A>
}

/** Closing the scope interrupts all fibers, after waiting `grace` for them to end. */
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
