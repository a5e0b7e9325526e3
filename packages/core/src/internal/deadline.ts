/**
 * Waiting with a bound for what may never end: for fibers, also where interruption is masked, and for requests of
 * connectors that forget their own timeout.
 */
import { Effect, type Exit, Fiber, FiberId, Option } from "effect"
import { RequestError, requestErrorOf } from "../Errors.js"

/**
 * The exit of a fiber that is about to end, or null when it has not ended after so many turns of the scheduler. Most
 * closes and heartbeats end within a few turns, and a timer would cost them 30 us.
 */
export const pollFor = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  turns: number
): Effect.Effect<Exit.Exit<A, E> | null> =>
  Effect.suspend(() => {
    const exit = fiber.unsafePoll()
    return exit !== null || turns === 0
      ? Effect.succeed(exit)
      : Effect.zipRight(Effect.yieldNow(), pollFor(fiber, turns - 1))
  })

/** Waits for the end of a fiber, at most so many milliseconds, also in an uninterruptible region. */
export const awaitAtMost = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  millis: number
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.flatMap(pollFor(fiber, 4), (exit) => exit === null ? awaitWithTimer(fiber, millis) : Effect.succeedSome(exit))

const awaitWithTimer = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, millis: number) =>
  Effect.timeoutOption(Effect.interruptible(Fiber.await(fiber)), millis)

/**
 * Runs a request in a fiber of its own and waits for it at most so many milliseconds: also for connectors that forget the
 * request's timeout, die, interrupt themselves, or cannot be interrupted. The wait can be interrupted.
 */
export const withDeadline = <A>(
  request: Effect.Effect<A, RequestError>,
  millis: number
): Effect.Effect<A, RequestError> =>
  // A daemon: a child of the waiting fiber would keep that fiber from ending before the request.
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDaemon(Effect.interruptible(request)), (fiber) => {
      const answer = Effect.flatMap(
        pollFor(fiber, 1),
        (exit) => exit === null ? waitFor(fiber, millis) : answerOf(exit)
      )
      // Most requests end with their interruption, and the next heartbeat may rely on that. (K8)
      return Effect.onInterrupt(restore(answer), () => Effect.zipRight(abandon(fiber), pollFor(fiber, 64)))
    })
  )

const waitFor = <A>(
  request: Fiber.RuntimeFiber<A, RequestError>,
  millis: number
): Effect.Effect<A, RequestError> => {
  const message = `no answer within ${millis} ms`
  return Effect.flatMap(awaitWithTimer(request, millis), (ended) =>
    Option.isSome(ended)
      ? answerOf(ended.value)
      : Effect.zipRight(
        abandon(request),
        Effect.fail(new RequestError({ fate: "unknown", reason: "timeout", message }))
      ))
}

/** Interrupts without waiting for the end. */
const abandon = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))

const answerOf = <A>(exit: Exit.Exit<A, RequestError>): Effect.Effect<A, RequestError> =>
  exit._tag === "Success" ? exit : Effect.fail(requestErrorOf(exit.cause))
