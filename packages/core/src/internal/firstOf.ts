import { Deferred, Effect, FiberId } from "effect"

type Any = Effect.Effect<any, any, any>
type Success<W extends ReadonlyArray<Any>> = Effect.Effect.Success<W[number]>
type Error<W extends ReadonlyArray<Any>> = Effect.Effect.Error<W[number]>
type Context<W extends ReadonlyArray<Any>> = Effect.Effect.Context<W[number]>

/**
 * The others are interrupted, and not waited for, also where the caller cannot be interrupted.
 * Not `Effect.raceFirst`: it starts its fibers a step after it makes them; interrupted in between, it waits for ever.
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
