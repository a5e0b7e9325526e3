import { Cause, Effect, type Tracer } from "effect"
import { type BackendUnavailable, type CallError, requestErrorOf } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import { type Said, said } from "../observe/Said.js"
import type { CallOptions } from "../options/CallOptions.js"
import type { Session } from "../options/Session.js"
import * as ToolRules from "../options/ToolRules.js"
import type { Method, Params, Result } from "../port/Method.js"
import * as Sending from "../port/Sending.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { SessionState } from "../state/SessionState.js"
import * as Call from "./Call.js"
import { unavailable } from "./CallFailure.js"
import { identified } from "./callId.js"
import { CallLoop } from "./CallLoop.js"
import { FailedRequests } from "./FailedRequests.js"
import { Gates } from "./Gates.js"
import type { ProgressBeats } from "./progress/ProgressBeats.js"
import { QueuedCalls } from "./QueuedCalls.js"
import { TaskSupport } from "./tasks/TaskSupport.js"
import { type ReadTools, ToolHints } from "./ToolHints.js"
import { Waiting } from "./Waiting.js"

export interface StartedCall {
  /** `unknown`: the server may carry the request out. */
  readonly cancel: () => "notSent" | "unknown"
  /** The caller may come back for the answer: nothing is cancelled, but a silent server is in doubt. (H9) */
  readonly doubt: () => void
}

export class Calls {
  readonly sessionState = new SessionState()
  readonly wait: Waiting
  readonly queue: QueuedCalls
  readonly tools: ToolRules.ToolRules
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly failures: FailedRequests
  readonly gates: Gates
  readonly #loop: CallLoop

  constructor(
    backend: BackendState,
    probe: Probe,
    doubt: SessionDoubt,
    beats: ProgressBeats,
    readTools: ReadTools
  ) {
    this.#backend = backend
    this.#probe = probe
    const queue = this.queue = new QueuedCalls(backend.policy)
    const wait = this.wait = new Waiting(backend, queue)
    const tools = this.tools = ToolRules.make(backend.policy.tools)
    const hints = new ToolHints(backend, readTools)
    const failures = this.failures = new FailedRequests(backend, probe, doubt, wait, hints)
    const tasks = new TaskSupport(backend, hints)
    const gates = this.gates = new Gates({ backend, failures, hints, probe, queue, tasks, wait })
    const { sessionState } = this
    this.#loop = new CallLoop({ backend, beats, failures, gates, probe, queue, sessionState, tasks, tools, wait })
  }

  /** `timeout` bounds the whole: waiting, the answer, and repeats. */
  request<M extends Method>(method: M, params: Params<M>, options?: CallOptions): Effect.Effect<Result<M>, CallError> {
    return Effect.withFiberRuntime(({ currentSpan }) =>
      this.#observed(this.#make(method, params, options), currentSpan)
    )
  }

  /**
   * `next` is called once, with the exit or what remains for a fiber. Who interrupts that also calls `cancel`: a fiber that has not
   * begun does nothing when interrupted.
   */
  start<M extends Method>(
    method: M,
    params: Params<M>,
    options: CallOptions | undefined,
    next: (rest: Effect.Effect<Result<M>, CallError>) => void
  ): StartedCall {
    const { telemetry } = this.#backend
    const call = this.#make(method, params, options)
    if (telemetry?.hasSpans === true) {
      next(Effect.withFiberRuntime(({ currentSpan }) => this.#observed(call, currentSpan)))
    } else {
      call.observer = telemetry?.call(method, params, undefined)
      this.#loop.step(call, (rest) => {
        if (Call.isOutcome(rest)) this.#loop.end(call, rest, next)
        else next(this.#loop.toItsEnd(call, rest))
      })
    }
    return {
      cancel: () => {
        // The fiber is interrupted later than the caller's next call is made.
        this.#loop.end(call, Call.interrupted)
        return Call.fateOf(call)
      },
      doubt: () => this.#loop.doubt(call)
    }
  }

  #make<M extends Method>(method: M, params: Params<M>, options: CallOptions | undefined): Call.Call<M> {
    const tool = ToolRules.of(this.tools, method, params)
    const { calls: { callId }, timeouts: { request } } = this.#backend.policy
    const sent = callId && method === "tools/call" ? identified(params) : params
    const call = Call.make(method, sent, options, tool, request, this.#backend.now())
    this.queue.begin(call)
    return call
  }

  #observed<M extends Method>(
    call: Call.Call<M>,
    span: Tracer.AnySpan | undefined
  ): Effect.Effect<Result<M>, CallError> {
    if (call.isOver) return Call.interrupted
    call.observer = this.#backend.telemetry?.call(call.method, call.params, span)
    return this.#loop.toItsEnd(call)
  }

  /** Calls that find no connection from now on, or wait for one, are the successor's. */
  leaveTo(successor: Calls): void {
    this.#loop.successor = successor.#loop
    this.#backend.update((slot) => ({ ...slot, hasSuccessor: true }))
  }

  /** For `onConnected`. The connection is not installed yet: nothing is waited for, sent again or probed. (C11) */
  session(runtime: Runtime): Session {
    return {
      generation: runtime.generation,
      request: (method, params, options) => {
        const timeout = Call.millis(options?.timeout, this.#backend.policy.timeouts.request)
        return Effect.catchAllCause(
          Sending.ask(runtime.connection, method, params, { ...options, timeout, maxTotalTimeout: undefined }),
          (cause) =>
            Cause.isInterruptedOnly(cause)
              ? Effect.interrupt
              : this.failures.fail(requestErrorOf(cause), method, runtime, timeout)
        )
      }
    }
  }

  get probe(): Effect.Effect<void, CallError> {
    return Effect.suspend(() => {
      const runtime = this.#backend.published.value.current
      if (runtime === undefined) return Effect.fail(this.unavailable(said`there is no connection to probe`))
      return Effect.flatMap(this.#probe.now(runtime), (error) =>
        error === undefined
          ? Effect.void
          : this.failures.fail(error, "ping", runtime, this.#backend.policy.keepalive.timeout))
    })
  }

  unavailable(why: Said): BackendUnavailable {
    return unavailable(this.#backend, why)
  }
}
