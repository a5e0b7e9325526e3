/**
 * Sending calls: one read of the slot and the request where there is a connection; waiting, and sending again what may be sent again, where
 * there is none or it was lost.
 */
import { Effect, Exit, FiberId } from "effect"
import { constVoid } from "effect/Function"
import * as Hints from "../catalog/Hints.js"
import { type CallError, type RequestError, requestErrorOf } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import { said } from "../observe/Said.js"
import type { Method, Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { BeforeSending } from "./BeforeSending.js"
import * as Call from "./Call.js"
import { unavailable } from "./CallFailure.js"
import type { FailedRequests } from "./FailedRequests.js"
import type { GivenUpCalls } from "./GivenUpCalls.js"
import { isWork } from "./isWork.js"
import type { QueuedCalls } from "./QueuedCalls.js"
import type { SessionState } from "./SessionState.js"
import { TaskRun } from "./TaskRun.js"
import type { TaskSupport } from "./TaskSupport.js"

/** The exit of a call that was cancelled. */
export const interrupted = Exit.interrupt(FiberId.none)

/** The parts of a backend that calls pass on their way. */
export interface Parts {
  readonly backend: BackendState
  readonly before: BeforeSending
  readonly failures: FailedRequests
  readonly givenUp: GivenUpCalls
  readonly probe: Probe
  readonly queue: QueuedCalls
  readonly sessionState: SessionState
  readonly tasks: TaskSupport
}

/** Sends the calls of one backend. */
export class Sender {
  /** Who has taken the place of the backend, where somebody has. */
  successor: Call.Carrier | undefined
  readonly #backend: BackendState
  readonly #before: BeforeSending
  readonly #failures: FailedRequests
  readonly #givenUp: GivenUpCalls
  readonly #probe: Probe
  readonly #queue: QueuedCalls
  readonly #sessionState: SessionState
  readonly #taskSupport: TaskSupport
  readonly #tasks: TaskRun

  constructor({ backend, before, failures, givenUp, probe, queue, sessionState, tasks }: Parts) {
    this.#backend = backend
    this.#before = before
    this.#failures = failures
    this.#givenUp = givenUp
    this.#probe = probe
    this.#queue = queue
    this.#sessionState = sessionState
    this.#taskSupport = tasks
    this.#tasks = new TaskRun(backend, failures, givenUp, {
      attempt: (call) => this.attempt(call),
      again: (call) => this.#again(call),
      leave: (call) => queue.leave(call)
    })
  }

  /** The call on the current connection, or the next one. */
  attempt<M extends Method>(call: Call.Call<M>): Effect.Effect<Result<M>, CallError> {
    const attempt = Effect.suspend(() =>
      this.#canCallBack
        ? Effect.async<Result<M>, CallError>((resume) => Effect.sync(this.begin(call, resume)))
        : this.#inFiber(call)
    )
    // Also one that is interrupted before it can begin to wait for its turn.
    return this.#queue.during(call, attempt)
  }

  /**
   * The same for a call that has waited. Where its time is over, nothing is sent: nobody would wait for the answer. A wait may end that
   * late, since the timers of a machine that was suspended, or of a process that stood still, fire later by as much.
   */
  readonly #again: Call.Attempt = (call) =>
    Effect.suspend(() =>
      this.#now() < call.deadline
        ? this.attempt(call)
        : Effect.fail(
          unavailable(
            this.#backend,
            said`the call was not sent, because its time was over before it could be (timeout)`
          )
        )
    )

  /** Whether there is a connection that sends without a fiber, and the call has no span, which needs one. */
  get #canCallBack(): boolean {
    const { published, telemetry } = this.#backend
    return published.value.current?.connection.send !== undefined && telemetry?.hasSpans !== true
  }

  /**
   * Reads the slot, takes a lease and sends, in one synchronous step; gives the lease back whatever comes. `next` is called once, with
   * the exit of the call or with what remains to be done. Returns what cancels the request.
   */
  begin<M extends Method>(call: Call.Call<M>, next: (rest: Effect.Effect<Result<M>, CallError>) => void): () => void {
    if (call.isCancelled) {
      next(interrupted)
      return constVoid
    }
    const refusal = this.#refusal(call)
    if (refusal !== undefined) {
      next(refusal)
      return constVoid
    }
    const installed = this.#tasks.connectionFor(call)
    const connection = installed?.connection
    if (installed === undefined || connection?.send === undefined) {
      call.first = installed
      next(installed === undefined ? this.attempt(call) : this.#inFiber(call))
      return constVoid
    }
    const kept = this.#before.keeps(call, installed, this.#again)
    if (kept !== undefined) {
      next(kept)
      return constVoid
    }
    const { runtime } = installed
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
    runtime.begin(call)
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
      if (isOver) return this.#tasks.cancel(call)
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
      const refusal = this.#refusal(call)
      if (refusal !== undefined) return refusal
      const installed = this.#tasks.connectionFor(call)
      if (installed === undefined) return restore(this.#withoutConnection(call))
      const kept = this.#before.keeps(call, installed, this.#again)
      if (kept !== undefined) return restore(kept)
      const { connection, runtime } = installed
      const attempt = call.observer?.attempt({ connection, generation: runtime.generation })
      const send = Effect.suspend(() =>
        connection.request(call.method, attempt?.params ?? call.params, Call.requestOptions(call, () => this.#now()))
      )
      runtime.begin(call)
      Call.leaves(call, runtime)
      return Effect.matchCauseEffect(
        restore(attempt?.span === undefined ? send : Effect.withParentSpan(send, attempt.span)),
        {
          onSuccess: (result) => {
            const exit = Exit.succeed(result)
            attempt?.end(exit)
            const rest = this.#ended(call, installed, exit)
            return Exit.isExit(rest)
              ? rest
              : Effect.onInterrupt(restore(rest), () => this.#tasks.abandon(call))
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

  /** The call waits; or goes to the successor of the backend, unless it is about a task, which only the server that runs it knows. */
  #withoutConnection<M extends Method>(call: Call.Call<M>): Effect.Effect<Result<M>, CallError> {
    const { successor } = this
    if (successor === undefined) return this.#before.connection(call, this.#again)
    if (call.about !== undefined) {
      return Effect.fail(
        unavailable(this.#backend, said`the call was not sent, because another server has taken its place`)
      )
    }
    this.#queue.leave(call)
    return successor.take(call)
  }

  /** The exit of a call that names what callers are not offered, which may have changed while it waited. */
  #refusal<M extends Method>({ method, params }: Call.Call<M>): Exit.Exit<never, CallError> | undefined {
    const { id, offered } = this.#backend
    const error = offered.isAll ? undefined : offered.refusal(id, method, params)
    return error && Exit.fail(error)
  }

  /** The caller gives a call up, wherever it is. What became of its request is not known. */
  giveUp<M extends Method>(call: Call.Call<M>): void {
    call.isCancelled = true
    this.#queue.giveUp(call)
    if (call.on !== undefined) this.#givenUp.inFlight(call, call.on)
    if (call.task !== undefined) this.#tasks.cancel(call)
  }

  /** The caller has stopped listening, and may come back for the answer: the call goes on. */
  doubt<M extends Method>(call: Call.Call<M>): void {
    if (call.on !== undefined && !call.isGivenUp) this.#givenUp.doubt(call, call.on)
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
      const rest = this.#tasks.answered(call, installed, exit.value)
      this.#end(call, runtime, true)
      if (isWork(call.method)) runtime.worked()
      this.#learn(call, runtime, exit.value)
      if (rest !== undefined) return rest
      const { offered } = this.#backend
      return offered.isAll
        ? exit as Exit.Success<Result<M>, never>
        : Exit.succeed(offered.result(call.method, exit.value))
    }
    const error = requestErrorOf(exit.cause)
    this.#end(call, runtime, error.fate === "answered")
    if (this.#taskSupport.refused(call, installed, error)) return this.#again(call)
    const rest = this.#failures.recover(call, installed, error, this.#again)
    return Exit.isExit(rest) ? rest : this.#before.waiting(call, rest)
  }

  /** Gives the lease back. */
  #end<M extends Method>(call: Call.Call<M>, runtime: Runtime, isAnswered: boolean): void {
    call.on = undefined
    this.#queue.ended(call)
    const now = this.#now()
    runtime.end(now, isAnswered, call)
    if (isAnswered) this.#probe.heard(runtime, now)
  }

  /** What an answered request tells of the server. */
  #learn<M extends Method>({ method, params }: Call.Call<M>, runtime: Runtime, result: unknown): void {
    if (method !== "tools/list") return this.#sessionState.note(method, params)
    const { published, policy } = this.#backend
    runtime.learn(Hints.learn(runtime.listed, result, published.value.revision, policy.discovery.maxEntries))
  }

  #now(): number {
    return this.#backend.now()
  }
}
