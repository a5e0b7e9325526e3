/**
 * - step: one read of the slot. `Gates` keep the call, or its request leaves in that same step.
 * - settle: its request has ended: with a result, a task (`TaskRun` waits for its outcome), or a failure (`FailedRequests` decide).
 * - end: the one exit. `outcomeOf` sees to it that no error denies a request that may have been carried out.
 */
import { Effect, Exit } from "effect"
import { constVoid } from "effect/Function"
import * as Hints from "../catalog/Hints.js"
import { type CallError, type RequestError, requestErrorOf } from "../Errors.js"
import * as Liveness from "../health/Liveness.js"
import * as ExactJson from "../internal/ExactJson.js"
import { program, said } from "../observe/Said.js"
import * as ToolRules from "../options/Tools.js"
import * as Budget from "../port/Budget.js"
import type { Method, Result } from "../port/Method.js"
import * as Sending from "../port/Sending.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { Call, Calls, Flight, Next, Outcome } from "./Call.js"
import { after, again, interrupted, later, leaves, requestOptions, silence } from "./Call.js"
import { notSent, outcomeOf } from "./CallFailure.js"
import * as FailedRequests from "./FailedRequests.js"
import * as Gates from "./Gates.js"
import * as ProgressBeats from "./ProgressBeats.js"
import * as QueuedCalls from "./QueuedCalls.js"
import * as TaskRun from "./TaskRun.js"
import * as ToolHints from "./ToolHints.js"
import * as Waiting from "./Waiting.js"

export const step = <M extends Method>(self: Calls, call: Call<M>, then: (next: Next<M>) => void): void => {
  ProgressBeats.begin(self, call)
  const refusal = Gates.refusal(self, call)
  if (refusal !== undefined) return then(refusal)
  const runtime = TaskRun.connectionFor(self, call)
  if (runtime === undefined) return then(withoutConnection(self, call))
  const kept = Gates.keeps(self, call, runtime)
  if (kept === undefined) send(self, call, runtime, then)
  else then(kept)
}

export const toItsEnd = <M extends Method>(
  self: Calls,
  call: Call<M>,
  next?: Next<M>
): Effect.Effect<Result<M>, CallError> => run(self, call, (exit) => end(self, call, exit), next)

const run = <M extends Method>(
  self: Calls,
  call: Call<M>,
  end: (exit: Outcome<M>) => Outcome<M>,
  next?: Next<M>
): Effect.Effect<Result<M>, CallError> =>
  Effect.uninterruptibleMask((restore) => {
    const left = self.backend.entering()
    const work = next === undefined ? stepped(self, call) : follow(self, call, next)
    return Effect.flatMap(Effect.exit(restore(work)), (exit) => {
      if (Exit.isInterrupted(exit)) giveUp(self, call)
      QueuedCalls.leave(self, call)
      ProgressBeats.end(self, call)
      left()
      return end(exit)
    })
  })

const stepped = <M extends Method>(self: Calls, call: Call<M>): Effect.Effect<Result<M>, CallError> =>
  Effect.async((resume) => step(self, call, (next) => resume(follow(self, call, next))))

const follow = <M extends Method>(
  self: Calls,
  call: Call<M>,
  next: Next<M>
): Effect.Effect<Result<M>, CallError> => {
  switch (next._tag) {
    case "Later":
      return Effect.flatMap(next.next, (next) => follow(self, call, next))
    case "Again": {
      const { backend } = self
      // Timers fire late after a suspension or a standstill: the caller has gone.
      if (backend.now() < call.budget.deadline) return stepped(self, call)
      return notSent(backend, said`its time was over before it could be${program(" (timeout)")}`)
    }
    default:
      return next
  }
}

/** Only the server that runs a task knows it, never the successor. */
const withoutConnection = <M extends Method>(self: Calls, call: Call<M>): Next<M> => {
  const { backend, state: { successor } } = self
  if (successor === undefined) return after(Waiting.forCall(self, call))
  if (call.ask.about !== undefined) return notSent(backend, said`another server has taken its place`)
  // Another server's tools say nothing about a call that this one may have carried out.
  if (call.undecided !== undefined) return call.undecided.fail
  QueuedCalls.leave(self, call)
  return later(Effect.map(take(successor, call), Exit.succeed))
}

const send = <M extends Method>(
  self: Calls,
  call: Call<M>,
  runtime: Runtime,
  then: (next: Next<M>) => void
): void => {
  const { backend } = self
  const { connection, generation } = runtime
  const attempt = call.observer?.attempt({ connection, generation })
  const flight: Flight<M> = call.flight = { on: runtime, attempt, cancel: undefined }
  runtime.begin(call)
  backend.safely("a caller's onSent", () => leaves(call, runtime))
  if (call.isGivenUp) {
    call.isDoubtful = false
    flight.cancel = constVoid
    return cancel(self, call)
  }
  const settle = (exit: Exit.Exit<Result<M>, RequestError>): void => {
    if (call.flight !== flight || call.isGivenUp) return
    call.flight = undefined
    measured(flight, exit)
    let next: Next<M>
    try {
      next = settled(self, call, runtime, exit)
    } catch (defect) {
      next = Exit.die(defect)
    }
    then(next)
  }
  try {
    const options = requestOptions(call, () => backend.now(), attempt?.span)
    flight.cancel = connection.send(call.ask.method, attempt?.params ?? call.ask.params, options, settle)
  } catch (defect) {
    if (!call.isGivenUp) return settle(Exit.die(defect))
    flight.cancel = constVoid
  }
  if (call.isGivenUp) cancel(self, call)
}

const measured = <M extends Method>(flight: Flight<M> | undefined, exit: Exit.Exit<Result<M>, RequestError>): void => {
  if (flight?.attempt === undefined) return
  const { attempt } = flight
  flight.attempt = undefined
  attempt.end(exit)
}

/** A connector that dies or interrupts itself is a failed request. */
const settled = <M extends Method>(
  self: Calls,
  call: Call<M>,
  runtime: Runtime,
  exit: Exit.Exit<Result<M>, RequestError>
): Next<M> => {
  if (Exit.isFailure(exit)) {
    const error = requestErrorOf(exit.cause)
    returned(self, call, runtime, error.fate === "answered")
    if (!ToolHints.needsTask(self, call, runtime, error)) return FailedRequests.recover(self, call, runtime, error)
    call.isDoubtful = false
    return again
  }
  if (call.tally.unknown !== undefined) call.tally = { ...call.tally, unknown: undefined }
  const task = TaskRun.answered(self, call, runtime, exit.value, ask)
  returned(self, call, runtime, true)
  runtime.worked(call.ask.method)
  if (task !== undefined) return task
  const { method, params } = call.ask
  if (!method.endsWith("/list")) return given(self, call, runtime, exit)
  const all = (whole: unknown) =>
    given(self, call, runtime, whole === undefined ? exit : Exit.succeed(whole) as Exit.Success<Result<M>, never>)
  const whole = self.whole(method, params, exit.value, nextPage(self, call, runtime))
  if (Exit.isExit(whole) && Exit.isSuccess(whole)) return all(whole.value)
  const onFailure = (error: RequestError) => FailedRequests.recover(self, call, runtime, error)
  return later(Effect.match(whole, { onFailure, onSuccess: all }))
}

const given = <M extends Method>(
  self: Calls,
  call: Call<M>,
  runtime: Runtime,
  exit: Exit.Success<Result<M>, unknown>
): Exit.Exit<Result<M>> => {
  learn(self, call, runtime, exit.value)
  const { offered } = self.backend
  return offered.isAll
    ? exit as Exit.Success<Result<M>, never>
    : Exit.succeed(offered.result(call.ask.method, exit.value))
}

const nextPage =
  (self: Calls, call: Call, runtime: Runtime) => (cursor: string): Effect.Effect<unknown, RequestError> =>
    Effect.suspend(() => {
      const { ask: { method, params } } = call
      const now = () => self.backend.now()
      const from = ExactJson.copied(params, { ...params, cursor })
      runtime.begin()
      return Effect.onExit(
        Sending.ask(runtime.connection, method, from as never, requestOptions(call, now)),
        (exit) => Effect.sync(() => runtime.end(now(), Exit.isSuccess(exit)))
      )
    })

const returned = (self: Calls, call: Call, runtime: Runtime, isAnswered: boolean): void => {
  QueuedCalls.ended(self, call)
  const now = self.backend.now()
  runtime.end(now, isAnswered, call)
  if (isAnswered) Liveness.heard(self.liveness, runtime, now)
}

const learn = ({ backend, sessionState }: Calls, { ask }: Call, runtime: Runtime, result: unknown): void => {
  if (ask.method !== "tools/list") return sessionState.note(ask.method, ask.params)
  const { policy: { discovery }, published: { value: { revision } } } = backend
  runtime.learn({ listed: Hints.learn(runtime.known.listed, result, revision, discovery.maxEntries) })
}

/** `then` is called before the call is measured: that keeps no caller waiting. */
export const end = <M extends Method>(
  self: Calls,
  call: Call<M>,
  exit: Outcome<M>,
  then?: (outcome: Outcome<M>) => void
): Outcome<M> => {
  if (call.isOver) return exit
  if (Exit.isInterrupted(exit)) giveUp(call.carrier ?? self, call)
  call.isOver = true
  ProgressBeats.end(self, call)
  measured(call.flight, interrupted)
  const outcome = asKnown(self, call, exit)
  try {
    then?.(outcome)
  } finally {
    call.observer?.end(outcome)
  }
  return outcome
}

const asKnown = <M extends Method>({ backend }: Calls, { ask, tally }: Call<M>, exit: Outcome<M>): Outcome<M> =>
  tally.unknown === undefined
    ? exit
    : Exit.mapError(exit, (error) => outcomeOf(error, ask.method, tally, backend.id))

/** After a silence, that is suspicion. (H3, H9) */
const giveUp = (self: Calls, call: Call): void => {
  if (call.isGivenUp || call.isOver) return
  call.isGivenUp = true
  if (call.ask.about === undefined) self.state.givenUp++
  if (call.flight !== undefined) {
    suspect(self, call, call.flight)
    cancel(self, call)
  }
  TaskRun.cancel(self, call)
  if (call.flight === undefined) QueuedCalls.leave(self, call)
}

const cancel = (self: Calls, call: Call): void => {
  const { flight } = call
  if (flight?.cancel === undefined) return
  call.flight = undefined
  measured(flight, interrupted)
  returned(self, call, flight.on, false)
  const { cancel } = flight
  self.backend.safely("the connector's cancel", () => cancel(call.ask.options?.cancelReason?.()))
}

export const doubt = (self: Calls, call: Call): void => {
  if (call.flight !== undefined && !call.isGivenUp) suspect(call.carrier ?? self, call, call.flight)
}

const suspect = ({ backend, liveness }: Calls, call: Call, { on: { latest } }: Flight): void => {
  const now = backend.now()
  latest.unheard(now, call)
  if (Budget.at(call.budget, now) - call.budget.heardAt < silence || now - latest.traffic.answeredAt < silence) return
  // At once: the caller's next call may come before the probe.
  Liveness.note(liveness, latest, { unanswered: "call" })
  backend.send({ _tag: "Suspected", runtime: latest }) // guard: given-up-is-suspicion
}

const ask = <M extends Method>(self: Calls, call: Call<M>): Effect.Effect<Result<M>, CallError> =>
  run(self, call, (exit) => asKnown(self, call, exit))

const take = <M extends Method>(self: Calls, call: Call<M>): Effect.Effect<Result<M>, CallError> =>
  Effect.suspend(() => {
    call.carrier = self
    call.tool = ToolRules.of(self.tools, call.ask.method, call.ask.params)
    QueuedCalls.begin(self, call)
    return run(self, call, (exit) => exit)
  })
