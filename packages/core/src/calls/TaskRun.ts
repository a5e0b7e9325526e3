/** A task is asked about at the server's pace, on any connection; its outcome is the call's result. (C17) */
import type { CallToolResult, Task } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Predicate } from "effect"
import { constVoid } from "effect/Function"
import { type CallError, ProtocolError, RemoteError, RequestError, RequestTimeout, ResultUnknown } from "../Errors.js"
import { firstOf } from "../internal/races.js"
import { detail, open, type Said as Texts, said } from "../observe/Said.js"
import * as Budget from "../port/Budget.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import { again, type Call, type Calls, type Later, later, make } from "./Call.js"
import { checkFirst, checkOrWait } from "./CallFailure.js"
import * as CallProgress from "./CallProgress.js"
import * as QueuedCalls from "./QueuedCalls.js"
import * as ToolHints from "./ToolHints.js"

type ToolCall = Call<"tools/call">

type Said = Pick<Task, "status"> & Partial<Task>

type Created = Said & Pick<Task, "taskId">

const internalError = -32_603
const invalidParams = -32_602

const created = (result: unknown): Created | undefined => {
  const task = Predicate.isRecord(result) ? result["task"] : undefined
  const isTask = Predicate.isRecord(task) && typeof task["taskId"] === "string" && typeof task["status"] === "string"
  return isTask ? task as Created : undefined
}

/** An unknown status says nothing: the outcome is asked for. */
const isEnd = ({ status }: Said): boolean => status !== "working" && status !== "input_required"

const known: ReadonlySet<string> = new Set(["working", "input_required", "completed", "failed", "cancelled"])

type Request = <M extends Method>(self: Calls, call: Call<M>) => Effect.Effect<Result<M>, CallError>

interface Run {
  readonly self: Calls
  readonly call: ToolCall
  readonly begunOn: Runtime
  readonly request: Request
}

/** The server forgot the task, and the call may be carried out twice. */
interface Forgotten {
  readonly _tag: "Forgotten"
}

type Outcome = Effect.Effect<CallToolResult, CallError | Forgotten>

/** Asks the connection that knows the task first: it may be draining. */
export const connectionFor = ({ backend }: Calls, call: Call): Runtime | undefined => {
  const { first } = call
  call.first = undefined
  return first !== undefined && first.loss === undefined ? first : backend.published.value.current
}

export const answered = <M extends Method>(
  self: Calls,
  call: Call<M>,
  runtime: Runtime,
  result: unknown,
  request: Request
): Later<M> | undefined => {
  if (call.ask.about !== undefined) answeredOn(self, call.ask.about, runtime)
  const task = call.runsTask === true ? created(result) : undefined
  return task && begin({ self, call: call as ToolCall, begunOn: runtime, request }, task) as Later<M>
}

/** Holds a lease until the call has ended. */
const begin = (run: Run, task: Created): Later<"tools/call"> => {
  const { begunOn, call, self } = run
  call.task = { id: task.taskId, on: begunOn, isThere: true, isOver: false }
  begunOn.begin()
  const outcome = Effect.onExit(firstOf(follow(run, task, false), deadline(self, call)), (exit) =>
    Effect.sync(() => {
      if (Exit.isFailure(exit) && isAbandoned(exit)) cancel(self, call)
      end(self, call)
    }))
  const next = Effect.map(outcome, (result) => Exit.succeed(result))
  return later(Effect.catchTag(next, "Forgotten", () => Effect.sync(() => sentAgain(call))))
}

const sentAgain = (call: ToolCall): typeof again => {
  const { sent, unknown, ...tally } = call.tally
  const error = new RequestError({ fate: "unknown", reason: "session", message: "the server has forgotten its task" })
  const generation = call.task!.on.generation
  call.tally = { ...tally, sent: sent + 1, repeated: true, unknown: unknown ?? { generation, error } }
  call.task = undefined
  return again
}

const answeredOn = ({ backend }: Calls, { task }: ToolCall, on: Runtime): void => {
  if (task === undefined || task.isOver) return
  task.isThere = true
  if (task.on === on) return
  on.begin()
  task.on.end(backend.now(), false)
  task.on = on
}

export const cancel = (self: Calls, call: Call): void => {
  const { task } = call
  if (task === undefined || task.isOver) return
  end(self, call)
  const { policy, published } = self.backend
  const { connection } = task.on.loss === undefined ? task.on : published.value.current ?? task.on
  const options = { timeout: policy.timeouts.request, runsTask: true }
  self.backend.safely(
    "the connector's request",
    () => connection.send("tasks/cancel", { taskId: task.id }, options, constVoid)
  )
}

const end = (self: Calls, call: Call): void => {
  const { task } = call
  if (task === undefined || task.isOver) return
  task.isOver = true
  QueuedCalls.leave(self, call)
  task.on.end(self.backend.now(), false)
}

const deadline = (self: Calls, call: ToolCall): Effect.Effect<never, RequestTimeout> =>
  Effect.suspend(() => {
    const { backend } = self
    const { budget, task } = call
    const now = backend.now()
    const left = Budget.left(budget, now)
    if (left > 0) return Effect.zipRight(backend.sleepUntil(now + left), deadline(self, call))
    const over = Budget.limit(budget)
    return Effect.fail(
      new RequestTimeout({
        ...common(self, call),
        timeout: over,
        ...said`${open(backend.id)}: tools/call runs as ${
          aTask(task)
        }, which was not over within ${over} ms and is cancelled; it may still be carried out. ${checkOrWait}`
      })
    )
  })

const follow = (run: Run, said: Said, isAwaited: boolean): Outcome =>
  Effect.suspend(() => {
    const { backend } = run.self
    describe(run, said)
    if (isEnd(said)) return isAwaited ? Effect.never : result(run, said)
    const pause = Effect.suspend(() => backend.sleepUntil(backend.now() + ToolHints.pollInterval(said.pollInterval)))
    const next = (isAwaited: boolean): Outcome =>
      Effect.flatMap(Effect.zipRight(pause, status(run)), (said) => follow(run, said, isAwaited))
    // The server asks its questions on the way to this answer.
    return said.status === "input_required" && !isAwaited ? firstOf(result(run, said), next(true)) : next(isAwaited)
  })

const status = (run: Run): Effect.Effect<Said, CallError | Forgotten> => {
  const { request } = run.self.backend.policy.timeouts
  return Effect.catchAll(ask(run, "tasks/get", request) as Effect.Effect<Said, CallError>, (error) => {
    switch (error._tag) {
      case "ConnectionLost":
      case "ResultUnknown":
      case "RequestTimeout":
        if (run.call.task !== undefined) run.call.task.isThere = false
        return Effect.succeed<Said>({ status: "working" })
      case "RemoteError":
        return forgotten(run, error)
      default:
        return Effect.fail(unknown(run, error))
    }
  })
}

const result = (run: Run, said: Said): Outcome => {
  const { call, self } = run
  const { status, statusMessage } = said
  if (status === "cancelled") {
    const why = statusMessage === undefined ? "" : `: ${statusMessage}`
    const message = `the server has cancelled the task${why}`
    return Effect.fail(new RemoteError({ ...common(self, call), code: internalError, message }))
  }
  const timeout = isEnd(said) ? self.backend.policy.timeouts.request : Number.POSITIVE_INFINITY
  return Effect.catchAll(ask(run, "tasks/result", timeout) as Outcome, (error): Outcome => {
    if (!known.has(status)) return Effect.fail(unknown(run, error, JSON.stringify(status) ?? "nothing"))
    switch (error._tag) {
      case "RemoteError": {
        // The tool may have failed with this code.
        if (error.code === invalidParams && status !== "failed") return forgotten(run, error)
        const { cause, code, data, message, publicMessage } = error
        return Effect.fail(new RemoteError({ ...common(self, call), code, data, message, publicMessage, cause }))
      }
      case "ProtocolError":
      case "Forgotten":
        return Effect.fail(error)
      default:
        return Effect.fail(unknown(run, error))
    }
  })
}

const ask = <M extends "tasks/get" | "tasks/result">(
  { call, request, self }: Run,
  method: M,
  timeout: number
): Effect.Effect<Result<M>, CallError> =>
  Effect.suspend(() => {
    const { failFast, resultSchema, wait } = call.ask.options ?? {}
    const schema = method === "tasks/result" ? { resultSchema } : {}
    const params = { taskId: call.task?.id } as Params<M>
    const options = { timeout, failFast, wait, ...schema }
    return request(self, make(method, params, options, undefined, timeout, self.backend.now(), call))
  })

const forgotten = (run: Run, error: RemoteError): Effect.Effect<never, CallError | Forgotten> => {
  const { begunOn, call, self } = run
  const retry = call.tool?.retry ?? self.backend.policy.calls.retry
  const isAfterLoss = error.generation !== begunOn.generation
  return isAfterLoss && retry === "safe" && ToolHints.mayRepeat(self, call, begunOn) === true &&
      self.backend.now() < call.budget.deadline
    ? Effect.fail<Forgotten>({ _tag: "Forgotten" })
    : Effect.fail(unknown(run, error))
}

const unknown = ({ call, self }: Run, error: CallError | Forgotten, status?: string): ResultUnknown => {
  const cause = error._tag === "Forgotten" ? undefined : error
  const odd = status === undefined
    ? said``
    : said`, which has the status ${open(status.slice(0, 100))}, which the protocol does not know`
  return new ResultUnknown({
    ...common(self, call),
    cause,
    ...said`${open(self.backend.id)}: tools/call began ${aTask(call.task)}${odd}, and its result is unknown${
      cause === undefined
        ? said``
        : detail(` (${cause.message})`, undefined, ` (${cause.plainMessage ?? cause.message})`)
    }; ${checkFirst}`
  })
}

const common = ({ backend: { id } }: Calls, { ask, task }: ToolCall) => ({
  backend: id,
  generation: task?.on.generation,
  method: ask.method
})

const describe = ({ call, self: { backend } }: Run, { statusMessage }: Said): void => {
  const { ask: { progress }, task } = call
  if (task === undefined || typeof statusMessage !== "string" || statusMessage === task.said) return
  task.said = statusMessage
  const now = backend.now()
  call.budget = Budget.heard(call.budget, now)
  backend.safely("a caller's onprogress", () => progress && CallProgress.described(progress, statusMessage, now))
}

/** The server's task id is not the one that the gateway gives its clients. */
const aTask = (task: { readonly id: string } | undefined): Texts => ({
  ...open(`task ${task?.id}`),
  publicMessage: "a task"
})

const isAbandoned = (exit: Exit.Failure<unknown, unknown>): boolean =>
  Exit.isInterrupted(exit) ||
  (exit.cause._tag === "Fail" &&
    (exit.cause.error instanceof RequestTimeout || exit.cause.error instanceof ProtocolError))
