/**
 * The first of several that ends.
 */
import { Deferred, Effect, FiberId } from "effect"

type Any = Effect.Effect<any, any, any>
type Success<W extends ReadonlyArray<Any>> = Effect.Effect.Success<W[number]>
type Error<W extends ReadonlyArray<Any>> = Effect.Effect.Error<W[number]>
type Context<W extends ReadonlyArray<Any>> = Effect.Effect.Context<W[number]>

/**
 * Runs effects, and ends as the first of them that ends; the others are interrupted, and nobody waits for their ends. The wait can be
 * interrupted where the caller can be; all of them can be interrupted also where he cannot, as in a finalizer.
 *
 * Not `Effect.raceFirst`: it makes its two fibers in one step and starts them in a later one, and a fiber that is interrupted in between
 * waits for ever for the two that nobody starts.
 */
export const firstOf = <W extends ReadonlyArray<Any>>(
  ...works: W
): Effect.Effect<Success<W>, Error<W>, Context<W>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const ended = Deferred.unsafeMake<Success<W>, Error<W>>(FiberId.none)
      const run = (work: Any) => Effect.forkDaemon(Effect.interruptible(Effect.intoDeferred(work, ended)))
      return Effect.flatMap(Effect.forEach(works, run), (fibers) =>
        Effect.ensuring(
          restore(Deferred.await(ended)),
          Effect.sync(() => {
            for (const fiber of fibers) fiber.unsafeInterruptAsFork(FiberId.none)
          })
        ))
    })
  )
