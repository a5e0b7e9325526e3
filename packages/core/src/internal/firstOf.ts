/**
 * The first of two that ends.
 */
import { Deferred, Effect, FiberId } from "effect"

/**
 * Runs two effects, and ends as the first of them that ends; the other is interrupted, and nobody waits for its end. The wait can be
 * interrupted where the caller can be; both can be interrupted also where he cannot, as in a finalizer.
 *
 * Not `Effect.raceFirst`: it makes its two fibers in one step and starts them in a later one, and a fiber that is interrupted in between
 * waits for ever for the two that nobody starts.
 */
export const firstOf = <A, E>(one: Effect.Effect<A, E>, other: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const ended = Deferred.unsafeMake<A, E>(FiberId.none)
      const run = (work: Effect.Effect<A, E>) =>
        Effect.forkDaemon(Effect.interruptible(Effect.intoDeferred(work, ended)))
      return Effect.flatMap(Effect.all([run(one), run(other)]), (fibers) =>
        Effect.ensuring(
          restore(Deferred.await(ended)),
          Effect.sync(() => {
            for (const fiber of fibers) fiber.unsafeInterruptAsFork(FiberId.none)
          })
        ))
    })
  )
