/** Waits that end although the work may not, also where interruption is masked. */
import { Deferred, Effect, type Exit, Fiber, FiberId, Option } from "effect"

/**
 * The others are interrupted, and not waited for, also where the caller cannot be interrupted.
 * Not `Effect.raceFirst`: it starts its fibers a step after it makes them; interrupted in between, it waits for ever.
 */
export const firstOf = <W extends ReadonlyArray<Effect.Effect<any, any, any>>>(
  ...works: W
): Effect.Effect<
  Effect.Effect.Success<W[number]>,
  Effect.Effect.Error<W[number]>,
  Effect.Effect.Context<W[number]>
> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const ended = Deferred.unsafeMake<Effect.Effect.Success<W[number]>, Effect.Effect.Error<W[number]>>(FiberId.none)
      const run = (work: W[number]) => Effect.forkDaemon(Effect.interruptible(Effect.intoDeferred(work, ended)))
      return Effect.flatMap(Effect.forEach(works, run), (fibers) =>
        Effect.ensuring(
          restore(Deferred.await(ended)),
          Effect.sync(() => {
            for (const fiber of fibers) fiber.unsafeInterruptAsFork(FiberId.none)
          })
        ))
    })
  )

/** Null after so many turns of the scheduler. Most fibers end within a few; a timer would cost 30 us. */
export const pollFor = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, turns: number): Effect.Effect<Exit.Exit<A, E> | null> =>
  Effect.suspend(() => {
    const exit = fiber.unsafePoll()
    return exit !== null || turns === 0
      ? Effect.succeed(exit)
      : Effect.zipRight(Effect.yieldNow(), pollFor(fiber, turns - 1))
  })

/**
 * Interrupts the work at the deadline, and with the caller; waits for neither. A child would keep the waiting fiber from ending first.
 */
export const within = <A, E>(
  work: Effect.Effect<A, E>,
  millis: number
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDaemon(Effect.interruptible(work)), (fiber) => {
      const abandon = Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))
      const ended = Effect.tap(awaitAtMost(fiber, millis, 1), (exit) => Option.isNone(exit) ? abandon : Effect.void)
      // Most end with their interruption, and the next heartbeat may rely on that. (K8)
      return Effect.onInterrupt(restore(ended), () => Effect.zipRight(abandon, pollFor(fiber, 64)))
    })
  )

export const awaitAtMost = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, millis: number, turns = 4) =>
  Effect.flatMap(
    pollFor(fiber, turns),
    (exit) =>
      exit === null
        ? firstOf(Effect.asSome(Fiber.await(fiber)), Effect.as(Effect.sleep(millis), Option.none()))
        : Effect.succeedSome(exit)
  )
