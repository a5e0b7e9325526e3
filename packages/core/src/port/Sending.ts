/**
 * Requests of a connection as effects, and effects as requests of a connection.
 */
import { Cause, Duration, Effect, Exit, FiberId, Option, Runtime } from "effect"
import type { RequestError } from "../Errors.js"
import type { Connection, RequestOptions } from "./Connection.js"
import type { Method, Params, Result } from "./Method.js"

/** Sends a request in the step in which the effect is run. An interruption cancels it, and returns at once. */
export const ask = <M extends Method>(
  connection: Pick<Connection, "send">,
  method: M,
  params: Params<M>,
  options: RequestOptions
): Effect.Effect<Result<M>, RequestError> =>
  Effect.async((resume) => Effect.sync(connection.send(method, params, options, resume)))

/** `undefined` if a request has not failed, or its connector died. */
export const errorOf = (exit: Exit.Exit<unknown, RequestError>): RequestError | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined

/** A request as an effect, which succeeds with the result of its method. */
export type Request = (method: Method, params: any, options: RequestOptions) => Effect.Effect<any, RequestError>

/**
 * The `send` of a connection whose requests are effects. Each begins in the step that sends it, in a fiber of its own under the span of the
 * request, which cancelling interrupts. No scope ends these fibers: the connection has to answer what is pending.
 */
export const by = (runtime: Runtime.Runtime<never>, request: Request): Connection["send"] => {
  const run = Runtime.runFork(runtime)
  return (method, params, options, settle) => {
    const { span } = options
    const asked = Effect.suspend(() => request(method, params, options))
    // Also where the connection was made in an uninterruptible region.
    const fiber = run(Effect.interruptible(span === undefined ? asked : Effect.withParentSpan(asked, span)))
    let isCancelled = false
    fiber.addObserver((exit) => {
      if (!isCancelled) settle(exit)
    })
    return () => {
      isCancelled = true
      fiber.unsafeInterruptAsFork(FiberId.none)
    }
  }
}

/** Sends a request once something is known; cancelled before, it was withdrawn. `send` gets options with what is left of the time. */
export const after = <A>(
  runtime: Runtime.Runtime<never>,
  known: Effect.Effect<A, RequestError>,
  options: RequestOptions,
  send: (left: RequestOptions, known: A) => () => void,
  settle: (exit: Exit.Exit<never, RequestError>) => void
): () => void => {
  let cancel: (() => void) | undefined
  let isCancelled = false
  const fiber = Runtime.runFork(runtime)(Effect.interruptible(Effect.timed(known)))
  fiber.addObserver((exit) => {
    if (isCancelled) return
    if (Exit.isFailure(exit)) return settle(Exit.failCause(exit.cause))
    const [taken, value] = exit.value
    const { maxTotalTimeout, timeout } = options
    const left = (time: number): number => Math.max(1, time - Duration.toMillis(taken))
    const rest = { ...options, timeout: left(timeout), maxTotalTimeout: maxTotalTimeout && left(maxTotalTimeout) }
    cancel = send(rest, value)
  })
  return () => {
    isCancelled = true
    if (cancel !== undefined) return cancel()
    options.onwithdrawn?.()
    fiber.unsafeInterruptAsFork(FiberId.none)
  }
}
