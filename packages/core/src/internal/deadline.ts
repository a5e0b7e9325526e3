/** Bounded waits for work that may never end, also where interruption is masked. */
import { Effect, type Exit, Fiber, FiberId, Option } from "effect"
import { firstOf } from "./firstOf.js"

/** Null after so many turns of the scheduler. Most fibers end within a few; a timer would cost 30 us. */
export const pollFor = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, turns: number): Effect.Effect<Exit.Exit<A, E> | null> =>
  Effect.suspend(() => {
    const exit = fiber.unsafePoll()
    return exit !== null || turns === 0
      ? Effect.succeed(exit)
      : Effect.zipRight(Effect.yieldNow(), pollFor(fiber, turns - 1))
  })

/**
 * Interrupts the work at the deadline, and with the caller; waits for neither. A daemon: a child would keep the waiting fiber from ending first.
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

/** Also in an uninterruptible region. */
export const awaitAtMost = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, millis: number, turns = 4) =>
  Effect.flatMap(
    pollFor(fiber, turns),
    (exit) =>
      exit === null
        ? firstOf(Effect.asSome(Fiber.await(fiber)), Effect.as(Effect.sleep(millis), Option.none()))
        : Effect.succeedSome(exit)
  )
