/**
 * The first of several that ends.
 */
import { Deferred, Effect, FiberId } from "effect"

/**
 * Runs effects, and ends as the first of them that ends; the others are interrupted, and nobody waits for their ends. The wait can be
 * interrupted where the caller can be; all of them can be interrupted also where he cannot, as in a finalizer.
 *
 * Not `Effect.raceFirst`: it makes its two fibers in one step and starts them in a later one, and a fiber that is interrupted in between
 * waits for ever for the two that nobody starts.
 */
export const firstOf = <A, E, R = never>(...works: ReadonlyArray<Effect.Effect<A, E, R>>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const ended = Deferred.unsafeMake<A, E>(FiberId.none)
      const run = (work: Effect.Effect<A, E, R>) =>
        Effect.forkDaemon(Effect.interruptible(Effect.intoDeferred(work, ended)))
      return Effect.flatMap(Effect.forEach(works, run), (fibers) =>
        Effect.ensuring(
          restore(Deferred.await(ended)),
          Effect.sync(() => {
            for (const fiber of fibers) fiber.unsafeInterruptAsFork(FiberId.none)
          })
        ))
    })
  )
