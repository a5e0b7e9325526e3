import { Effect, type Exit, type Fiber, FiberId, Option } from "effect"
import { RequestError, requestErrorOf } from "../Errors.js"
import { awaitWithTimer, pollFor } from "../internal/deadline.js"

/** For connectors, which may forget their own timeout, die, or be uninterruptible. The wait can be interrupted. */
export const withDeadline = <A>(
  request: Effect.Effect<A, RequestError>,
  millis: number
): Effect.Effect<A, RequestError> =>
  // A daemon: a child would keep the waiting fiber from ending first.
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

const waitFor = <A>(request: Fiber.RuntimeFiber<A, RequestError>, millis: number): Effect.Effect<A, RequestError> => {
  const message = `no answer within ${millis} ms`
  return Effect.flatMap(awaitWithTimer(request, millis), (ended) =>
    Option.isSome(ended)
      ? answerOf(ended.value)
      : Effect.zipRight(
        abandon(request),
        Effect.fail(new RequestError({ fate: "unknown", reason: "timeout", message }))
      ))
}

const abandon = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))

const answerOf = <A>(exit: Exit.Exit<A, RequestError>): Effect.Effect<A, RequestError> =>
  exit._tag === "Success" ? exit : Effect.fail(requestErrorOf(exit.cause))
