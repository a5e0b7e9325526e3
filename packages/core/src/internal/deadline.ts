/** Bounded waits for fibers that may never end, also where interruption is masked. */
import { Effect, type Exit, Fiber, Option } from "effect"

/** Null after so many turns of the scheduler. Most fibers end within a few; a timer would cost 30 us. */
export const pollFor = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, turns: number): Effect.Effect<Exit.Exit<A, E> | null> =>
  Effect.suspend(() => {
    const exit = fiber.unsafePoll()
    return exit !== null || turns === 0
      ? Effect.succeed(exit)
      : Effect.zipRight(Effect.yieldNow(), pollFor(fiber, turns - 1))
  })

export const awaitAtMost = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  millis: number
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.flatMap(pollFor(fiber, 4), (exit) => exit === null ? awaitWithTimer(fiber, millis) : Effect.succeedSome(exit))

/** For what will hardly end at once. */
export const awaitWithTimer = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, millis: number) =>
  Effect.timeoutOption(Effect.interruptible(Fiber.await(fiber)), millis)
