/**
 * - step: one read of the slot. `Gates` keep the call, or its request leaves in that same step.
 * - settle: its request has ended: with a result, a task (`TaskRun` waits for its outcome), or a failure (`FailedRequests` decide).
 * - end: the one exit. `outcomeOf` sees to it that no error denies a request that may have been carried out.
 */
import { Effect, Exit } from "effect"
import { constVoid } from "effect/Function"
import * as Hints from "../catalog/Hints.js"
import { type CallError, type RequestError, requestErrorOf } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import { said } from "../observe/Said.js"
import type { AttemptObserver } from "../observe/Telemetry.js"
import * as ToolRules from "../options/ToolRules.js"
import type { Method, Result } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { SessionState } from "../state/SessionState.js"
import * as Call from "./Call.js"
import { outcomeOf, unavailable } from "./CallFailure.js"
import type { FailedRequests } from "./FailedRequests.js"
import type { Gates } from "./Gates.js"
import type { ProgressBeats } from "./progress/ProgressBeats.js"
import type { QueuedCalls } from "./QueuedCalls.js"
import { TaskRun } from "./tasks/TaskRun.js"
import type { TaskSupport } from "./tasks/TaskSupport.js"
import type { Waiting } from "./Waiting.js"

export type Outcome<M extends Method> = Exit.Exit<Result<M>, CallError>

export interface Parts {
  readonly backend: BackendState
  readonly beats: ProgressBeats
  readonly failures: FailedRequests
  readonly gates: Gates
  readonly probe: Probe
  readonly queue: QueuedCalls
  readonly sessionState: SessionState
  readonly tasks: TaskSupport
  readonly tools: ToolRules.ToolRules
  readonly wait: Waiting
}

export class CallLoop implements Call.Carrier {
  successor: Call.Carrier | undefined
  readonly #backend: BackendState
  readonly #parts: Parts
  readonly #queue: QueuedCalls
  readonly #tasks: TaskRun

  constructor(parts: Parts) {
    const { backend, failures, queue } = this.#parts = parts
    this.#backend = backend
    this.#queue = queue
    this.#tasks = new TaskRun(backend, failures, {
      request: (call) => this.#run(call, (exit) => this.#asKnown(call, exit)),
      leave: (call) => queue.leave(call)
    })
  }

  /** `next` is called once, perhaps at once. */
  step<M extends Method>(call: Call.Call<M>, next: (rest: Call.Rest<M>) => void): void {
    this.#parts.beats.begin(call)
    const found = this.#look(call)
    if (Effect.isEffect(found)) next(found)
    else this.#send(call, found, next)
  }

  toItsEnd<M extends Method>(call: Call.Call<M>, rest?: Call.Rest<M>): Effect.Effect<Result<M>, CallError> {
    return this.#run(call, (exit) => this.end(call, exit), rest)
  }

  /** Interrupting it gives the call up. */
  #run<M extends Method>(
    call: Call.Call<M>,
    end: (exit: Outcome<M>) => Outcome<M>,
    rest = this.#next(call)
  ): Effect.Effect<Result<M>, CallError> {
    return Effect.uninterruptibleMask((restore) => {
      const left = this.#backend.entering()
      return Effect.flatMap(Effect.exit(restore(this.#loop(call, rest))), (exit) => {
        if (Exit.isInterrupted(exit)) this.giveUp(call)
        this.#queue.leave(call)
        this.#parts.beats.end(call)
        left()
        return end(exit)
      })
    })
  }

  #loop<M extends Method>(call: Call.Call<M>, rest: Call.Rest<M>): Effect.Effect<Result<M>, CallError> {
    return Effect.flatMap(rest, (outcome) => {
      if (outcome !== Call.again) return Effect.succeed(outcome)
      // Nobody would wait for the answer: after a suspension or a standstill, timers fire late.
      if (this.#backend.now() < call.deadline) return this.#loop(call, this.#next(call))
      return Effect.fail(
        unavailable(this.#backend, said`the call was not sent, because its time was over before it could be (timeout)`)
      )
    })
  }

  #next<M extends Method>(call: Call.Call<M>): Call.Rest<M> {
    return Effect.async((resume) => this.step(call, resume))
  }

  #look<M extends Method>(call: Call.Call<M>): Runtime | Call.Rest<M> {
    const refusal = this.#parts.gates.refusal(call)
    if (refusal !== undefined) return refusal
    const runtime = this.#tasks.connectionFor(call)
    return runtime === undefined
      ? this.#withoutConnection(call)
      : this.#parts.gates.keeps(call, runtime) ?? runtime
  }

  /** Only the server that runs a task knows it: what is about it is not left to the successor. */
  #withoutConnection<M extends Method>(call: Call.Call<M>): Call.Rest<M> {
    const { successor } = this
    if (successor === undefined) return Call.after(this.#parts.wait.forCall(call))
    if (call.about !== undefined) {
      return Effect.fail(
        unavailable(this.#backend, said`the call was not sent, because another server has taken its place`)
      )
    }
    // Another server's tools say nothing about a call that this one may have carried out.
    if (call.undecided !== undefined) return call.undecided.fail
    this.#queue.leave(call)
    return successor.take(call)
  }

  #send<M extends Method>(
    call: Call.Call<M>,
    runtime: Runtime,
    next: (rest: Call.Rest<M>) => void
  ): void {
    const { connection } = runtime
    const attempt = this.#leaves(call, runtime)
    // By its own `onSent`.
    if (call.isGivenUp) {
      call.isDoubtful = false
      this.#measured(call, Call.interrupted)
      return this.#returned(call, runtime, false)
    }
    let isOver = false
    const settle = (exit: Exit.Exit<Result<M>, RequestError>): void => {
      if (isOver || call.isGivenUp) return
      isOver = true
      call.cancel = undefined
      this.#measured(call, exit)
      let rest: Call.Rest<M>
      try {
        rest = this.#settled(call, runtime, exit)
      } catch (defect) {
        rest = Exit.die(defect)
      }
      next(rest)
    }
    try {
      const options = Call.requestOptions(call, () => this.#backend.now(), attempt?.span)
      const cancel = connection.send(call.method, attempt?.params ?? call.params, options, settle)
      if (isOver) return
      call.cancel = cancel
      // By progress that came meanwhile.
      if (call.isGivenUp) this.#cancel(call, runtime)
    } catch (defect) {
      if (!call.isGivenUp) return settle(Exit.die(defect))
      call.cancel = constVoid
      this.#cancel(call, runtime)
    }
  }

  #leaves<M extends Method>(
    call: Call.Call<M>,
    runtime: Runtime
  ): AttemptObserver<M> | undefined {
    const attempt = call.attempt = call.observer?.attempt({
      connection: runtime.connection,
      generation: runtime.generation
    })
    runtime.begin(call)
    this.#backend.safely("a caller's onSent", () => Call.leaves(call, runtime))
    return attempt
  }

  #measured<M extends Method>(call: Call.Call<M>, exit: Exit.Exit<Result<M>, RequestError>): void {
    const { attempt } = call
    call.attempt = undefined
    attempt?.end(exit)
  }

  /** A connector that dies or interrupts itself is a failed request. */
  #settled<M extends Method>(
    call: Call.Call<M>,
    runtime: Runtime,
    exit: Exit.Exit<Result<M>, RequestError>
  ): Call.Rest<M> {
    if (Exit.isFailure(exit)) {
      const error = requestErrorOf(exit.cause)
      this.#returned(call, runtime, error.fate === "answered")
      if (!this.#parts.tasks.refused(call, runtime, error)) {
        return this.#parts.failures.recover(call, runtime, error)
      }
      call.isDoubtful = false
      return Call.after(Effect.void)
    }
    call.unknown = undefined
    const task = this.#tasks.answered(call, runtime, exit.value)
    this.#returned(call, runtime, true)
    runtime.worked(call.method)
    this.#learn(call, runtime, exit.value)
    if (task !== undefined) return task
    const { offered } = this.#backend
    return offered.isAll
      ? exit as Exit.Success<Result<M>, never>
      : Exit.succeed(offered.result(call.method, exit.value))
  }

  #returned<M extends Method>(call: Call.Call<M>, runtime: Runtime, isAnswered: boolean): void {
    call.on = undefined
    this.#queue.ended(call)
    const now = this.#backend.now()
    runtime.end(now, isAnswered, call)
    if (isAnswered) this.#parts.probe.heard(runtime, now)
  }

  #learn<M extends Method>({ method, params }: Call.Call<M>, runtime: Runtime, result: unknown): void {
    if (method !== "tools/list") return this.#parts.sessionState.note(method, params)
    const { published, policy } = this.#backend
    runtime.listed = Hints.learn(runtime.listed, result, published.value.revision, policy.discovery.maxEntries)
  }

  /** `next` is called before the call is measured: that keeps no caller waiting. */
  end<M extends Method>(call: Call.Call<M>, exit: Outcome<M>, next?: (outcome: Outcome<M>) => void): Outcome<M> {
    if (call.isOver) return exit
    if (Exit.isInterrupted(exit)) (call.carrier ?? this).giveUp(call)
    call.isOver = true
    this.#parts.beats.end(call)
    // One that was given up within its own send is cancelled later.
    this.#measured(call, Call.interrupted)
    const outcome = this.#asKnown(call, exit)
    try {
      next?.(outcome)
    } finally {
      call.observer?.end(outcome)
    }
    return outcome
  }

  #asKnown<M extends Method>(call: Call.Call<M>, exit: Outcome<M>): Outcome<M> {
    return call.unknown === undefined
      ? exit
      : Exit.mapError(exit, (error) => outcomeOf(error, call, this.#backend.id))
  }

  /** After a silence, the caller's patience is as good a reason for a probe as `timeouts.request`. (H3, H9) */
  giveUp<M extends Method>(call: Call.Call<M>): void {
    if (call.isGivenUp || call.isOver) return
    call.isGivenUp = true
    if (call.about === undefined) this.#backend.givenUp++
    if (call.on !== undefined) {
      this.#suspect(call, call.on)
      this.#cancel(call, call.on)
    }
    this.#tasks.cancel(call)
    // What remains of it may never begin.
    if (call.on === undefined) this.#queue.leave(call)
  }

  #cancel<M extends Method>(call: Call.Call<M>, on: Runtime): void {
    const { cancel } = call
    if (cancel === undefined) return
    call.cancel = undefined
    this.#measured(call, Call.interrupted)
    this.#returned(call, on, false)
    this.#backend.safely("the connector's cancel", cancel)
  }

  doubt<M extends Method>(call: Call.Call<M>): void {
    if (call.carrier !== undefined && call.carrier !== this) return call.carrier.doubt(call)
    if (call.on !== undefined && !call.isGivenUp) this.#suspect(call, call.on)
  }

  #suspect<M extends Method>(call: Call.Call<M>, { latest }: Runtime): void {
    const now = this.#backend.now()
    latest.unheard(now, call)
    if (now - Math.max(call.heardAt, latest.answeredAt) < Call.silence) return
    // At once: the caller's next call may come before the probe.
    this.#parts.probe.leftUnanswered(latest)
    this.#backend.send({ _tag: "Suspected", runtime: latest }) // guard: given-up-is-suspicion
  }

  /** Of another backend. The options by tool are those of this one. */
  take<M extends Method>(call: Call.Call<M>): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      call.carrier = this
      call.tool = ToolRules.of(this.#parts.tools, call.method, call.params)
      this.#queue.begin(call)
      return this.#run(call, (exit) => exit)
    })
  }
}
