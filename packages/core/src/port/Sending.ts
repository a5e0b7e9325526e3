/** Requests as effects, and effects as requests. In a fiber, a call over stdio took 1.25 times as long or more. */
import type { Progress } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Duration, Effect, Exit, FiberId, Option, Runtime } from "effect"
import { constVoid } from "effect/Function"
import type { RequestError } from "../Errors.js"
import type { Cancel, Connection, RequestEvent, RequestOptions } from "./Connection.js"
import type { Method, Params, Result } from "./Method.js"

export type Settle<A> = (exit: Exit.Exit<A, RequestError>) => void

type Step<A> = (settle: Settle<A>) => Cancel

export const refuse = <A>(settle: Settle<A>, error: RequestError): Cancel => {
  settle(Exit.fail(error))
  return constVoid
}

/** One request in several steps. Each has one outcome, also if it throws, and none after the whole was settled or cancelled. */
export class Relay<A> {
  readonly #settle: Settle<A>
  /** `undefined` once it is over. */
  #cancel: Cancel | undefined = constVoid

  constructor(settle: Settle<A>) {
    this.#settle = settle
  }

  get isOver(): boolean {
    return this.#cancel === undefined
  }

  step<B>(send: Step<B>, then: Settle<B>): void {
    if (this.isOver) return
    let hasEnded = false
    const settle: Settle<B> = (exit) => {
      if (hasEnded || this.isOver) return
      hasEnded = true
      this.#cancel = constVoid
      try {
        then(exit)
      } catch (defect) {
        this.settle(Exit.die(defect))
      }
    }
    let reason: unknown
    this.#cancel = (given) => {
      reason = given
    }
    try {
      const cancel = send(settle)
      if (hasEnded) return
      if (this.isOver) cancel(reason)
      else this.#cancel = cancel
    } catch (defect) {
      settle(Exit.die(defect))
    }
  }

  readonly settle: Settle<A> = (exit) => {
    if (this.isOver) return
    this.#cancel = undefined
    this.#settle(exit)
  }

  readonly cancel: Cancel = (reason) => {
    const cancel = this.#cancel
    this.#cancel = undefined
    cancel?.(reason)
  }
}

/** In a fiber of its own. No scope ends it: what it waits for has to end. */
export const effect = <A>(
  runtime: Runtime.Runtime<never>,
  work: Effect.Effect<A, RequestError>,
  { span }: RequestOptions
): Step<A> =>
(settle) => {
  const run = Effect.exit(span === undefined ? work : Effect.withParentSpan(work, span))
  // Also where the connection was made in an uninterruptible region.
  const fiber = Runtime.runFork(runtime)(Effect.interruptible(run))
  fiber.addObserver((exit) => settle(Exit.flatten(exit)))
  return () => fiber.unsafeInterruptAsFork(FiberId.none)
}

/** For a request as an effect, because an interruption has no argument. */
export interface Options extends RequestOptions {
  /** Asked at an interruption, for the server. Must not throw. */
  readonly cancelReason?: (() => unknown) | undefined
}

export const progressTo = (
  listener: ((progress: Progress) => void) | undefined
): Pick<RequestOptions, "onevent" | "progress"> => ({
  progress: listener !== undefined,
  onevent: (event) => event._tag === "Progress" ? listener?.(event.progress) : undefined
})

/** Sends in the step in which the effect is run. An interruption cancels it, and returns at once. */
export const ask = <M extends Method>(
  connection: Pick<Connection, "send">,
  method: M,
  params: Params<M>,
  options: Options
): Effect.Effect<Result<M>, RequestError> =>
  Effect.withFiberRuntime(({ currentSpan }) => {
    const given = { ...options, span: options.span ?? currentSpan }
    return Effect.async((resume) => {
      const relay = new Relay<Result<M>>(resume)
      relay.step((settle) => connection.send(method, params, given, settle), relay.settle)
      return Effect.sync(() => relay.cancel(options.cancelReason?.()))
    })
  })

/** `undefined` after a success, or if its connector died. */
export const errorOf = (exit: Exit.Exit<unknown, RequestError>): RequestError | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined

export type Request = (method: Method, params: any, options: Options) => Effect.Effect<any, RequestError>

/**
 * For a connection whose requests are effects. Each begins in the step that sends it, in its own fiber; cancelling interrupts that, which takes
 * the request back a moment later.
 */
export const by =
  (runtime: Runtime.Runtime<never>, request: Request): Connection["send"] => (method, params, options, settle) => {
    const relay = new Relay(settle)
    let why: unknown
    const given = { ...options, cancelReason: () => why }
    relay.step(effect(runtime, Effect.suspend(() => request(method, params, given)), options), relay.settle)
    return (reason) => {
      why = reason
      relay.cancel()
    }
  }

/** Once something is known; cancelled before, it was withdrawn. `send` gets options with what is left of the time. */
export const after = <A, B>(
  runtime: Runtime.Runtime<never>,
  known: Effect.Effect<A, RequestError>,
  options: RequestOptions,
  send: (left: RequestOptions, known: A, settle: Settle<B>) => Cancel,
  settle: Settle<B>
): Cancel => {
  const relay = new Relay(settle)
  let isWithdrawable = true
  relay.step(effect(runtime, Effect.timed(known), options), (exit) => {
    if (Exit.isFailure(exit)) return relay.settle(Exit.failCause(exit.cause))
    const [taken, value] = exit.value
    const { maxTotalTimeout, timeout } = options
    const left = (time: number): number => Math.max(1, Math.ceil(time - Duration.toMillis(taken)))
    const rest = { ...options, timeout: left(timeout), maxTotalTimeout: maxTotalTimeout && left(maxTotalTimeout) }
    isWithdrawable = false
    relay.step((settle) => send(rest, value, settle), relay.settle)
  })
  return (reason) => {
    if (isWithdrawable && !relay.isOver) options.onevent?.({ _tag: "Withdrawn" })
    relay.cancel(reason)
  }
}

/** The server has had the request: it cannot be withdrawn any more. */
export const reached = <A extends RequestOptions>({ onevent, ...options }: A) => ({
  ...options,
  onevent: onevent && ((event: RequestEvent) => event._tag === "Withdrawn" ? undefined : onevent(event))
})
