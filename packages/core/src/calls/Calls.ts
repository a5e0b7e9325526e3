/**
 * Calls: how they begin, in a fiber or outside of any, and what is counted of them. `Sender` sends them.
 */
import { Effect, Exit, type Tracer } from "effect"
import { constVoid } from "effect/Function"
import type { BackendUnavailable, CallError, RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import { type Said, said } from "../observe/Said.js"
import type { CallOptions } from "../options/CallOptions.js"
import type { Session } from "../options/Session.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { BackendState } from "../state/BackendState.js"
import { BeforeSending } from "./BeforeSending.js"
import * as Call from "./Call.js"
import { unavailable } from "./CallFailure.js"
import { ConnectionWait } from "./ConnectionWait.js"
import { FailedRequests } from "./FailedRequests.js"
import { GivenUpCalls } from "./GivenUpCalls.js"
import { newSession } from "./newSession.js"
import type { ProgressBeats } from "./ProgressBeats.js"
import { QueuedCalls } from "./QueuedCalls.js"
import { interrupted, Sender } from "./Sender.js"
import { SessionState } from "./SessionState.js"
import { TaskSupport } from "./TaskSupport.js"
import { ToolHints } from "./ToolHints.js"
import { type ReadTools, ToolReading } from "./ToolReading.js"
import { ToolRules } from "./ToolRules.js"
import { type Onward, withConnection } from "./withConnection.js"

/** A call that was started outside of any fiber. */
export interface StartedCall {
  /** Cancels it, as long as `next` was not called. Returns what becomes of the request: `unknown` if the server may carry it out. */
  readonly cancel: () => "notSent" | "unknown"
  /** The caller has stopped listening, and may come back for the answer: nothing is cancelled, but a silent server is put in doubt. (H9) */
  readonly doubt: () => void
}

/** Makes calls for one backend, and counts those that wait. */
export class Calls implements Call.Carrier {
  /** What the server was asked to keep for its session. */
  readonly sessionState = new SessionState()
  /** The calls that wait for a connection. */
  readonly wait: ConnectionWait
  /** The calls that wait for their turn. */
  readonly queue: QueuedCalls
  /** The options by tool. */
  readonly tools: ToolRules
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #failures: FailedRequests
  readonly #beats: ProgressBeats
  readonly #before: BeforeSending
  readonly #sender: Sender

  constructor(
    backend: BackendState,
    probe: Probe,
    doubt: SessionDoubt,
    beats: ProgressBeats,
    readTools: ReadTools
  ) {
    this.#beats = beats
    this.#backend = backend
    this.#probe = probe
    const queue = this.queue = new QueuedCalls(backend, () => this.waiting)
    const wait = this.wait = new ConnectionWait(backend, queue)
    this.tools = new ToolRules(backend.policy.tools)
    const reading = new ToolReading(backend, readTools)
    const failures = this.#failures = new FailedRequests(
      backend,
      probe,
      doubt,
      wait,
      queue,
      new ToolHints(backend, reading)
    )
    const givenUp = new GivenUpCalls(backend, probe)
    const tasks = new TaskSupport(backend, reading)
    const before = this.#before = new BeforeSending({ backend, probe, failures, givenUp, queue, tasks, wait })
    this.#sender = new Sender({
      backend,
      before,
      failures,
      givenUp,
      probe,
      queue,
      sessionState: this.sessionState,
      tasks
    })
  }

  /** How many calls wait: for a connection, or for the verdict on one in doubt. */
  get waiting(): number {
    return this.wait.waiting + this.#before.held.count
  }

  /** A session was lost without being asked to. */
  sessionLost(generation: number): void {
    if (this.#backend.policy.calls.afterSessionLoss === "fail") this.#before.sessionLoss.lost(generation)
  }

  /** Somebody has ended the connection on purpose, and knows that the next session begins with nothing. */
  forgetSessionLoss(): void {
    this.#before.sessionLoss.forget()
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
    const work = this.#beats.during(call, this.#sender.attempt(call))
    return observer === undefined ? work : Effect.onExit(work, (exit) => Effect.sync(() => observer.end(exit)))
  }

  /**
   * One call outside of any fiber: `next` is called once, with its exit, or with what remains to be done in a fiber. Who interrupts that
   * fiber calls `cancel`, too, because a fiber that has not begun does nothing when it is interrupted.
   */
  start<M extends Method>(
    method: M,
    params: Params<M>,
    options: CallOptions | undefined,
    next: (rest: Effect.Effect<Result<M>, CallError>) => void
  ): StartedCall {
    const { telemetry } = this.#backend
    const call = this.#call(method, params, options)
    const started = (stop: () => void): StartedCall => ({
      cancel: () => {
        // The fiber that has the request is interrupted later than the caller's next call is made.
        const { carrier = this } = call
        carrier.giveUp(call)
        stop()
        return Call.fateOf(call)
      },
      doubt: () => (call.carrier ?? this).doubt(call)
    })
    if (telemetry?.hasSpans === true) {
      next(Effect.withFiberRuntime(({ currentSpan }) => this.#observed(call, currentSpan)))
      return started(constVoid)
    }
    if (telemetry === undefined && !this.#beats.wants(call)) return started(this.#sender.begin(call, next))
    const observer = call.observer = telemetry?.call(method, call.params, undefined)
    this.#beats.begin(call)
    let isOver = false
    const end = (exit: Exit.Exit<Result<M>, CallError>): void => {
      if (isOver) return
      isOver = true
      this.#beats.end(call)
      observer?.end(exit)
    }
    const stop = this.#sender.begin(call, (rest) => {
      if (!Exit.isExit(rest)) return next(Effect.onExit(rest, (exit) => Effect.sync(() => end(exit))))
      // Measuring keeps no caller waiting.
      try {
        next(rest)
      } finally {
        end(rest as Exit.Exit<Result<M>, CallError>)
      }
    })
    return started(() => {
      stop()
      end(interrupted)
    })
  }

  #call<M extends Method>(method: M, params: Params<M>, options: CallOptions | undefined): Call.Call<M> {
    const tool = this.tools.of(method, params)
    const call = Call.make(method, params, options, tool, this.#backend.policy.timeouts.request, this.#backend.now())
    this.queue.begin(call)
    return call
  }

  /** The calls that find no connection from now on, or wait for one, are those of another backend. */
  leaveTo(successor: Call.Carrier): void {
    this.#sender.successor = successor
    this.#backend.publish({ hasSuccessor: true })
  }

  /** Its own options by tool count for the call. */
  take<M extends Method>(call: Call.Call<M>): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      call.carrier = this
      call.tool = this.tools.of(call.method, call.params)
      this.queue.begin(call)
      return this.#beats.during(call, this.#sender.attempt(call))
    })
  }

  giveUp<M extends Method>(call: Call.Call<M>): void {
    this.#sender.giveUp(call)
  }

  doubt<M extends Method>(call: Call.Call<M>): void {
    this.#sender.doubt(call)
  }

  /** Requests on one connection that is not installed yet: what `onConnected` is given. (C11) */
  session(installed: LiveConnection): Session {
    return newSession(installed, this.#backend.policy.timeouts.request, this.#failures)
  }

  /** Runs something on the current connection that is no call. */
  withConnection<A>(
    use: (installed: LiveConnection) => Effect.Effect<A, RequestError>,
    method: string,
    options: CallOptions | undefined,
    onward: Onward<A>
  ): Effect.Effect<A, CallError> {
    const parts = { backend: this.#backend, wait: this.wait, failures: this.#failures }
    return withConnection(parts, use, method, options, onward)
  }

  /** Probes the current connection, without waiting for one. */
  get probe(): Effect.Effect<void, CallError> {
    return Effect.suspend(() => {
      const installed = this.#backend.published.value.current
      if (installed === undefined) return Effect.fail(this.unavailable(said`there is no connection to probe`))
      return Effect.flatMap(this.#probe.now(installed), (error) =>
        error === undefined
          ? Effect.void
          : this.#failures.fail(error, "ping", installed.runtime, this.#backend.policy.keepalive.timeout))
    })
  }

  /** A BackendUnavailable that says where the backend stands. */
  unavailable(why: Said): BackendUnavailable {
    return unavailable(this.#backend, why)
  }
}
