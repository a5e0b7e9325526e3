/** Bounded waits for fibers that may never end, also where interruption is masked. */
import { Effect, type Exit, type Fiber, type Option } from "effect"

/** Null after so many turns of the scheduler. Most fibers end within a few; a timer would cost 30 us. */
export const pollFor = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, turns: number): Effect.Effect<Exit.Exit<A, E> | null> =>
  Effect.suspend(() => {
    const exit = fiber.unsafePoll()
    return exit !== null || turns === 0
      ? Effect.succeed(exit)
      : Effect.zipRight(Effect.yieldNow(), pollFor(fiber, turns - 1))
  })

/** Also in an uninterruptible region. */
export const awaitAtMost = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  millis: number
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.flatMap(pollFor(fiber, 4), (exit) => exit === null ? awaitWithTimer(fiber, millis) : Effect.succeedSome(exit))

/** For what will hardly end at once. By one fiber more; `Effect.timeout` takes two. */
export const awaitWithTimer = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  millis: number
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.acquireUseRelease(
    Effect.forkDaemon(Effect.interruptible(Effect.sleep(millis))),
    (timer) =>
      Effect.async((resume) => {
        const ended = (exit: Exit.Exit<A, E>): void => resume(Effect.succeedSome(exit))
        const stop = (): void => fiber.removeObserver(ended)
        fiber.addObserver(ended)
        timer.addObserver(() => {
          stop()
          resume(Effect.succeedNone)
        })
        return Effect.sync(stop)
      }),
    (timer) => timer.interruptAsFork(timer.id())
  )
