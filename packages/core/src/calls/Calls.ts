/**
 * Calls: one read of the slot and the request where there is a connection; waiting, and sending again what may be sent again,
 * where there is none or it was lost.
 */
import { Effect, Exit, FiberId, Option, type Tracer } from "effect"
import { constVoid } from "effect/Function"
import * as Hints from "../catalog/Hints.js"
import { type BackendUnavailable, type CallError, type RequestError, requestErrorOf } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import type { CallOptions } from "../options/CallOptions.js"
import type { Session } from "../options/Session.js"
import { isRead, type Method, type Params, type Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Call from "./Call.js"
import { busy, unavailable } from "./CallFailure.js"
import { ConnectionWait } from "./ConnectionWait.js"
import { FailedRequests } from "./FailedRequests.js"
import { GivenUpCalls } from "./GivenUpCalls.js"
import { newSession } from "./newSession.js"
import { SessionLoss } from "./SessionLoss.js"
import { SessionState } from "./SessionState.js"

const interrupted = Exit.interrupt(FiberId.none)

/** Makes calls for one backend, and counts those that wait. */
export class Calls {
  /** What the server was asked to keep for its session. */
  readonly sessionState = new SessionState()
  /** The calls that wait for a connection. */
  readonly wait: ConnectionWait
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #failures: FailedRequests
  readonly #givenUp: GivenUpCalls
  readonly #sessionLoss = new SessionLoss()

  constructor(backend: BackendState, probe: Probe, doubt: SessionDoubt) {
    this.#backend = backend
    this.#probe = probe
    this.wait = new ConnectionWait(backend)
    this.#failures = new FailedRequests(backend, probe, doubt, this.wait)
    this.#givenUp = new GivenUpCalls(backend, probe)
  }

  /** A session was lost without being asked to. */
  sessionLost(generation: number): void {
    if (this.#backend.policy.calls.afterSessionLoss === "fail") this.#sessionLoss.lost(generation)
  }

  /** Somebody has ended the connection on purpose, and knows that the next session begins with nothing. */
  forgetSessionLoss(): void {
    this.#sessionLoss.forget()
  }

  /** One call. Its `timeout` bounds the whole: waiting, the answer, and sending again. */
  request<M extends Method>(method: M, params: Params<M>, options?: CallOptions): Effect.Effect<Result<M>, CallError> {
    return Effect.withFiberRuntime(({ currentSpan }) =>
      this.#observed(this.#call(method, params, options), currentSpan)
    )
  }

  #observed<M extends Method>(
    call: Call.Call<M>,
    span: Tracer.AnySpan | undefined
  ): Effect.Effect<Result<M>, CallError> {
    const observer = call.observer = this.#backend.telemetry?.call(call.method, call.params, span)
    return observer === undefined ? this.#attempt(call) : Effect.onExit(
      this.#attempt(call),
      (exit) => Effect.sync(() => observer.end(exit))
    )
  }

  /**
   * One call outside of any fiber: `next` is called once, with its exit, or with what remains to be done in a fiber. Returns what
   * cancels it until then, and says what becomes of it. Who interrupts that fiber calls this too, because a fiber that has not begun does
   * nothing when it is interrupted.
   */
  start<M extends Method>(
    method: M,
    params: Params<M>,
    options: CallOptions | undefined,
    next: (rest: Effect.Effect<Result<M>, CallError>) => void
  ): () => "notSent" | "unknown" {
    const { telemetry } = this.#backend
    const call = this.#call(method, params, options)
    // The fiber that has the request is interrupted later than the caller's next call is made.
    const giveUp = () => {
      call.isCancelled = true
      if (call.on !== undefined) this.#givenUp.inFlight(call, call.on)
      return Call.fateOf(call)
    }
    if (telemetry?.hasSpans === true) {
      next(Effect.withFiberRuntime(({ currentSpan }) => this.#observed(call, currentSpan)))
      return giveUp
    }
    if (telemetry === undefined) {
      const cancel = this.#begin(call, next)
      return () => {
        giveUp()
        cancel()
        return Call.fateOf(call)
      }
    }
    const observer = call.observer = telemetry.call(method, params, undefined)
    let isOver = false
    const end = (exit: Exit.Exit<Result<M>, CallError>): void => {
      if (isOver) return
      isOver = true
      observer.end(exit)
    }
    const cancel = this.#begin(call, (rest) => {
      if (!Exit.isExit(rest)) return next(Effect.onExit(rest, (exit) => Effect.sync(() => end(exit))))
      // Measuring keeps no caller waiting.
      try {
        next(rest)
      } finally {
        end(rest as Exit.Exit<Result<M>, CallError>)
      }
    })
    return () => {
      giveUp()
      cancel()
      end(interrupted)
      return Call.fateOf(call)
    }
  }

  #call<M extends Method>(method: M, params: Params<M>, options: CallOptions | undefined): Call.Call<M> {
    return Call.make(method, params, options, this.#backend.policy.timeouts.request, this.#now())
  }

  /** Requests on one connection that is not installed yet: what `onConnected` is given. (C11) */
  session(installed: LiveConnection): Session {
    return newSession(installed, this.#backend.policy.timeouts.request, this.#failures)
  }

  /**
   * Runs something on the current connection, waiting for one where there is none; on the next one where that was lost, if
   * it did not happen or may happen twice. `options`: of the call for which this is done; only those about waiting count.
   */
  withConnection<A>(
    use: (installed: LiveConnection) => Effect.Effect<A, RequestError>,
    method: string,
    options?: CallOptions
  ): Effect.Effect<A, CallError> {
    return Effect.suspend(() => {
      const { request, wait: usual } = this.#backend.policy.timeouts
      const wait = Call.millis(options?.wait, usual)
      const deadline = this.#now() + Math.max(request, wait)
      const on = (lost: Runtime | undefined): Effect.Effect<A, CallError> =>
        Effect.suspend(() => {
          const installed = this.#backend.published.value.current
          if (installed === undefined || installed.runtime === lost) {
            return Effect.zipRight(
              this.wait.until(Math.min(deadline, this.#now() + wait), lost, options?.failFast),
              on(undefined)
            )
          }
          return Effect.catchAll(use(installed), (error) => {
            const gone = error.reason === "lost" || error.reason === "session"
            const harmless = error.fate !== "unknown" || isRead(method)
            return gone && harmless && this.#now() < deadline
              ? on(installed.runtime)
              : this.#failures.fail(error, method, installed.runtime, request)
          })
        })
      return on(undefined)
    })
  }

  /** Probes the current connection, without waiting for one. */
  get probe(): Effect.Effect<void, CallError> {
    return Effect.suspend(() => {
      const installed = this.#backend.published.value.current
      if (installed === undefined) return Effect.fail(this.unavailable("there is no connection to probe"))
      return Effect.flatMap(this.#probe.now(installed), (error) =>
        error === undefined
          ? Effect.void
          : this.#failures.fail(error, "ping", installed.runtime, this.#backend.policy.keepalive.timeout))
    })
  }

  #now(): number {
    return this.#backend.now()
  }

  /** The call on the current connection, or the next one. */
  #attempt<M extends Method>(call: Call.Call<M>): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() =>
      this.#canCallBack
        ? Effect.async<Result<M>, CallError>((resume) => Effect.sync(this.#begin(call, resume)))
        : this.#inFiber(call)
    )
  }

  /**
   * The same for a call that has waited. Where its time is over, nothing is sent: nobody would wait for the answer. A wait may end that
   * late, since the timers of a machine that was suspended, or of a process that stood still, fire later by as much.
   */
  #again<M extends Method>(call: Call.Call<M>): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() =>
      this.#now() < call.deadline
        ? this.#attempt(call)
        : Effect.fail(this.unavailable("the call was not sent, because its time was over before it could be (timeout)"))
    )
  }

  /** Whether there is a connection that sends without a fiber, and the call has no span, which needs one. */
  get #canCallBack(): boolean {
    const { published, telemetry } = this.#backend
    return published.value.current?.connection.send !== undefined && telemetry?.hasSpans !== true
  }

  /**
   * Reads the slot, takes a lease and sends, in one synchronous step; gives the lease back whatever comes. `next` is called once, with
   * the exit of the call or with what remains to be done. Returns what cancels the request.
   */
  #begin<M extends Method>(call: Call.Call<M>, next: (rest: Effect.Effect<Result<M>, CallError>) => void): () => void {
    if (call.isCancelled) {
      next(interrupted)
      return constVoid
    }
    const installed = this.#backend.published.value.current
    const connection = installed?.connection
    if (installed === undefined || connection?.send === undefined) {
      next(this.#attempt(call))
      return constVoid
    }
    if (this.#isHeld(call, installed)) {
      next(this.#hold(call, installed))
      return constVoid
    }
    const { runtime } = installed
    const refusal = this.#refusal(runtime)
    if (refusal !== undefined) {
      next(Exit.fail(refusal))
      return constVoid
    }
    const attempt = call.observer?.attempt({ connection, generation: runtime.generation })
    let isOver = false
    const settle = (exit: Exit.Exit<Result<M>, RequestError>): void => {
      if (isOver) return
      isOver = true
      attempt?.end(exit)
      let rest: Effect.Effect<Result<M>, CallError>
      try {
        rest = this.#ended(call, installed, exit)
      } catch (defect) {
        rest = Exit.die(defect)
      }
      next(rest)
    }
    runtime.begin()
    Call.leaves(call, runtime)
    let cancel: (() => void) | undefined
    try {
      cancel = connection.send(
        call.method,
        attempt?.params ?? call.params,
        Call.requestOptions(call, () => this.#now()),
        settle
      )
    } catch (defect) {
      settle(Exit.die(defect))
    }
    return () => {
      if (isOver) return
      isOver = true
      attempt?.end(interrupted)
      this.#givenUp.inFlight(call, runtime)
      this.#end(call, runtime, false)
      try {
        cancel?.()
      } catch (defect) {
        this.#backend.reportDefect("the connector's cancel", defect)
      }
    }
  }

  /** The same with a connection that sends in a fiber, or where the call has a span; waits where there is none. */
  #inFiber<M extends Method>(call: Call.Call<M>): Effect.Effect<Result<M>, CallError> {
    return Effect.uninterruptibleMask((restore) => {
      if (call.isCancelled) return interrupted
      const installed = this.#backend.published.value.current
      if (installed === undefined) {
        return restore(this.#givenUp.counting(call, Effect.zipRight(this.wait.forCall(call), this.#again(call))))
      }
      if (this.#isHeld(call, installed)) return restore(this.#hold(call, installed))
      const { connection, runtime } = installed
      const refusal = this.#refusal(runtime)
      if (refusal !== undefined) return Effect.fail(refusal)
      const attempt = call.observer?.attempt({ connection, generation: runtime.generation })
      const send = Effect.suspend(() =>
        connection.request(call.method, attempt?.params ?? call.params, Call.requestOptions(call, () => this.#now()))
      )
      runtime.begin()
      Call.leaves(call, runtime)
      return Effect.matchCauseEffect(
        restore(attempt?.span === undefined ? send : Effect.withParentSpan(send, attempt.span)),
        {
          onSuccess: (result) => {
            const exit = Exit.succeed(result)
            attempt?.end(exit)
            return this.#ended(call, installed, exit)
          },
          onFailure: (cause) => {
            const exit = Exit.failCause(cause)
            attempt?.end(exit)
            // Not begun where the caller is interrupted: a connector that interrupts itself fails like any other.
            let isFailed = false
            const ended = Effect.suspend(() => {
              isFailed = true
              return this.#ended(call, installed, exit)
            })
            return Effect.onInterrupt(restore(ended), () =>
              Effect.sync(() => {
                if (isFailed) return
                this.#givenUp.inFlight(call, runtime)
                this.#end(call, runtime, false)
              }))
          }
        }
      )
    })
  }

  /**
   * Whether a call is not to be sent, because the server has left another one without an answer and nobody knows whether it lives: what
   * may not be sent again would be lost with it. (H4)
   */
  #isHeld<M extends Method>(call: Call.Call<M>, { runtime }: LiveConnection): boolean {
    return this.#probe.isSilent(runtime) && !this.#failures.mayRepeat(call, runtime) // guard: silent-is-not-used
  }

  /** Waits until that is settled, which the answer to any request does. */
  #hold<M extends Method>(call: Call.Call<M>, installed: LiveConnection): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      const { runtime } = installed
      const settled = () => !this.#backend.isCurrent(runtime) || !this.#isHeld(call, installed)
      const held = Effect.flatMap(
        this.#backend.before(call.deadline, runtime.until(settled)),
        (answered) =>
          Option.isSome(answered)
            ? this.#again(call)
            : Effect.fail(this.unavailable("the call was not sent, because the server does not answer probes"))
      )
      return this.#givenUp.counting(call, held)
    })
  }

  /**
   * Gives the lease back, and says how the call ended or goes on. A connector that dies or interrupts itself is a failed request like
   * any other.
   */
  #ended<M extends Method>(
    call: Call.Call<M>,
    installed: LiveConnection,
    exit: Exit.Exit<Result<M>, RequestError>
  ): Effect.Effect<Result<M>, CallError> {
    const { runtime } = installed
    if (Exit.isSuccess(exit)) {
      this.#end(call, runtime, true)
      this.#learn(call, runtime, exit.value)
      return exit as Exit.Success<Result<M>, never>
    }
    const error = requestErrorOf(exit.cause)
    this.#end(call, runtime, error.fate === "answered")
    const rest = this.#failures.recover(call, installed, error, (again) => this.#again(again))
    return Exit.isExit(rest) ? rest : this.#givenUp.counting(call, rest)
  }

  /** Gives the lease back. */
  #end<M extends Method>(call: Call.Call<M>, runtime: Runtime, isAnswered: boolean): void {
    call.on = undefined
    runtime.end(this.#now(), isAnswered)
  }

  /** What an answered request tells of the server. */
  #learn<M extends Method>({ method, params }: Call.Call<M>, runtime: Runtime, result: unknown): void {
    if (method !== "tools/list") return this.sessionState.note(method, params)
    const { published, policy } = this.#backend
    runtime.learn(Hints.learn(runtime.listed, result, published.value.revision, policy.discovery.maxEntries))
  }

  /** Why a connection is not to be used for a call now. */
  #refusal({ generation, inFlight }: Runtime): CallError | undefined {
    const { id, policy: { calls } } = this.#backend
    const expired = this.#sessionLoss.take(id, generation)
    if (expired !== undefined) return expired
    return inFlight >= calls.maxInFlight ? busy(id, `${inFlight} calls are in flight (calls.maxInFlight)`) : undefined
  }

  /** A BackendUnavailable that says where the backend stands. */
  unavailable(why: string): BackendUnavailable {
    return unavailable(this.#backend.id, this.#backend.published.value, this.#now(), why)
  }
}
