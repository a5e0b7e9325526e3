import { Effect, ExecutionStrategy, Exit, Scope } from "effect"

/** Acquires in a child of the caller's scope: when it fails or is interrupted, what it had acquired is released at once, before it ends. */
export const allOrNothing = <A, E, R>(acquire: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Effect.flatMap(Effect.scope, (parent) => Scope.fork(parent, ExecutionStrategy.sequential))
      return yield* restore(acquire).pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
    })
  )
