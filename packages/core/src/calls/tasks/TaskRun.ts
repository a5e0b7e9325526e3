/** A task is asked about at the server's pace, on any connection; its outcome is the call's result. (C17) */
import type { CallToolResult, Task } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Predicate } from "effect"
import { constVoid } from "effect/Function"
import {
  type CallError,
  ProtocolError,
  RemoteError,
  RequestError,
  RequestTimeout,
  ResultUnknown
} from "../../Errors.js"
import { firstOf } from "../../internal/firstOf.js"
import { detail, open, type Said as Texts, said } from "../../observe/Said.js"
import type { Method, Params, Result } from "../../port/Method.js"
import type { Runtime } from "../../runtime/Runtime.js"
import type { BackendState } from "../../state/BackendState.js"
import * as Call from "../Call.js"
import type { FailedRequests } from "../FailedRequests.js"
import { pollInterval } from "./TaskSupport.js"

type ToolCall = Call.Call<"tools/call">

type Said = Pick<Task, "status"> & Partial<Task>

const internalError = -32_603
const invalidParams = -32_602

const created = (result: unknown): (Said & Pick<Task, "taskId">) | undefined => {
  const task = Predicate.isRecord(result) ? result["task"] : undefined
  const isTask = Predicate.isRecord(task) && typeof task["taskId"] === "string" && typeof task["status"] === "string"
  return isTask ? task as Said & Pick<Task, "taskId"> : undefined
}

/** An unknown status says nothing: the outcome is asked for. */
const isEnd = ({ status }: Said): boolean => status !== "working" && status !== "input_required"

const known: ReadonlySet<string> = new Set(["working", "input_required", "completed", "failed", "cancelled"])

export interface Asking {
  readonly request: <M extends Method>(call: Call.Call<M>) => Effect.Effect<Result<M>, CallError>
  readonly leave: (call: Call.Call<Method>) => void
}

/** The server forgot the task, and the call may be carried out twice. */
class Forgotten {
  readonly _tag = "Forgotten"
}

type Outcome = Effect.Effect<CallToolResult, CallError | Forgotten>

export class TaskRun {
  readonly #backend: BackendState
  readonly #failures: FailedRequests
  readonly #asking: Asking

  constructor(backend: BackendState, failures: FailedRequests, asking: Asking) {
    this.#backend = backend
    this.#failures = failures
    this.#asking = asking
  }

  /** What is about a task goes first to the connection that knows it: it may be draining. */
  connectionFor<M extends Method>(call: Call.Call<M>): Runtime | undefined {
    const { first } = call
    call.first = undefined
    return first !== undefined && first.loss === undefined ? first : this.#backend.published.value.current
  }

  answered<M extends Method>(
    call: Call.Call<M>,
    on: Runtime,
    result: unknown
  ): Call.Rest<M> | undefined {
    if (call.about !== undefined) this.#answeredOn(call.about, on)
    const task = call.runsTask === true ? created(result) : undefined
    return task && this.#begin(call as ToolCall, on, task) as Call.Rest<M>
  }

  /** Holds a lease until the call has ended: the connection is not closed as idle, and drains. */
  #begin(
    call: ToolCall,
    on: Runtime,
    task: Said & Pick<Task, "taskId">
  ): Effect.Effect<CallToolResult | typeof Call.again, CallError> {
    call.task = { id: task.taskId, on, isThere: true, isOver: false }
    on.begin()
    return Effect.catchAll(
      Effect.onExit(firstOf(this.#outcome(call, on, task), this.#deadline(call)), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit) && isAbandoned(exit)) this.cancel(call)
          this.#end(call)
        })),
      (error) => error instanceof Forgotten ? Call.after(Effect.sync(() => this.#again(call))) : Effect.fail(error)
    )
  }

  #again(call: ToolCall): void {
    call.sent++
    call.repeated = true
    const error = new RequestError({ fate: "unknown", reason: "session", message: "the server has forgotten its task" })
    call.unknown ??= { generation: call.task!.on.generation, error }
    call.task = undefined
  }

  #answeredOn({ task }: ToolCall, on: Runtime): void {
    if (task === undefined || task.isOver) return
    task.isThere = true
    if (task.on === on) return
    on.begin()
    task.on.end(this.#backend.now(), false)
    task.on = on
  }

  cancel<M extends Method>(call: Call.Call<M>): void {
    const { task } = call
    if (task === undefined || task.isOver) return
    this.#end(call)
    const { connection } = task.on.loss === undefined ? task.on : this.#backend.published.value.current ?? task.on
    const options = { timeout: this.#backend.policy.timeouts.request, runsTask: true }
    this.#backend.safely(
      "the connector's request",
      () => connection.send("tasks/cancel", { taskId: task.id }, options, constVoid)
    )
  }

  #end<M extends Method>(call: Call.Call<M>): void {
    const { task } = call
    if (task === undefined || task.isOver) return
    task.isOver = true
    this.#asking.leave(call as Call.Call<Method>)
    task.on.end(this.#backend.now(), false)
  }

  #deadline(call: ToolCall): Effect.Effect<never, RequestTimeout> {
    return Effect.suspend(() => {
      const { deadline, heardAt, options, task, timeout } = call
      const now = this.#backend.now()
      const last = Math.min(deadline, options?.resetTimeoutOnProgress === true ? heardAt + timeout : deadline)
      const end = last + Call.askedFor(call, now)
      if (end > now) return Effect.zipRight(this.#backend.sleepUntil(end), this.#deadline(call))
      const over = Call.timeOver(call)
      return Effect.fail(
        new RequestTimeout({
          ...this.#common(call),
          timeout: over,
          ...said`${open(this.#backend.id)}: tools/call runs as ${
            aTask(task)
          }, which was not over within ${over} ms and is cancelled; it may still be carried out. Give it more time (timeout), or check before you repeat it`
        })
      )
    })
  }

  #outcome(call: ToolCall, begun: Runtime, first: Said): Outcome {
    const follow = (said: Said, isAwaited: boolean): Outcome =>
      Effect.suspend(() => {
        this.#describe(call, said)
        if (isEnd(said)) return isAwaited ? Effect.never : this.#result(call, begun, said)
        const next = Effect.zipRight(this.#pause(said), this.#status(call, begun))
        const later = (isAwaited: boolean): Outcome => Effect.flatMap(next, (said) => follow(said, isAwaited))
        // The server asks its questions on the way to this answer.
        return said.status === "input_required" && !isAwaited
          ? firstOf(this.#result(call, begun, said), later(true))
          : later(isAwaited)
      })
    return follow(first, false)
  }

  #pause({ pollInterval: given }: Said): Effect.Effect<void> {
    return Effect.suspend(() => this.#backend.sleepUntil(this.#backend.now() + pollInterval(given)))
  }

  /** After a loss the next connection is asked. */
  #status(call: ToolCall, begun: Runtime): Effect.Effect<Said, CallError | Forgotten> {
    const { request } = this.#backend.policy.timeouts
    return Effect.catchAll(this.#ask("tasks/get", call, request) as Effect.Effect<Said, CallError>, (error) => {
      switch (error._tag) {
        case "ConnectionLost":
        case "ResultUnknown":
        case "RequestTimeout":
          if (call.task !== undefined) call.task.isThere = false
          return Effect.succeed<Said>({ status: "working" })
        case "RemoteError":
          return this.#forgotten(call, begun, error)
        default:
          return Effect.fail(this.#unknown(call, error))
      }
    })
  }

  #result(call: ToolCall, begun: Runtime, said: Said): Outcome {
    const { status, statusMessage } = said
    if (status === "cancelled") {
      const why = statusMessage === undefined ? "" : `: ${statusMessage}`
      const message = `the server has cancelled the task${why}`
      return Effect.fail(new RemoteError({ ...this.#common(call), code: internalError, message }))
    }
    const timeout = isEnd(said) ? this.#backend.policy.timeouts.request : Number.POSITIVE_INFINITY
    return Effect.catchAll(this.#ask("tasks/result", call, timeout) as Outcome, (error): Outcome => {
      if (!known.has(status)) return Effect.fail(this.#odd(call, said, error))
      switch (error._tag) {
        case "RemoteError":
          // The tool may have failed with this code.
          return error.code === invalidParams && status !== "failed"
            ? this.#forgotten(call, begun, error)
            : Effect.fail(this.#remote(call, error))
        case "ProtocolError":
        case "Forgotten":
          return Effect.fail(error)
        default:
          return Effect.fail(this.#unknown(call, error))
      }
    })
  }

  #ask<M extends "tasks/get" | "tasks/result">(
    method: M,
    call: ToolCall,
    timeout: number
  ): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      const { failFast, resultSchema, wait } = call.options ?? {}
      const schema = method === "tasks/result" ? { resultSchema } : {}
      const params = { taskId: call.task?.id } as Params<M>
      const options = { timeout, failFast, wait, ...schema }
      return this.#asking.request(Call.make(method, params, options, undefined, timeout, this.#backend.now(), call))
    })
  }

  #forgotten(
    call: ToolCall,
    runtime: Runtime,
    error: RemoteError
  ): Effect.Effect<never, CallError | Forgotten> {
    const retry = call.tool?.retry ?? this.#backend.policy.calls.retry
    const isAfterLoss = error.generation !== runtime.generation
    return isAfterLoss && retry === "safe" && this.#failures.mayRepeat(call, runtime) &&
        this.#backend.now() < call.deadline
      ? Effect.fail(new Forgotten())
      : Effect.fail(this.#unknown(call, error))
  }

  #unknown(call: ToolCall, cause: CallError): ResultUnknown {
    return new ResultUnknown({
      ...this.#common(call),
      cause,
      ...said`${open(this.#backend.id)}: tools/call began ${aTask(call.task)}, and its result is unknown${
        detail(` (${cause.message})`)
      }; check before you repeat it, or pass idempotent: true for calls that may be carried out twice`
    })
  }

  #odd(call: ToolCall, { status }: Said, cause: CallError | Forgotten): ResultUnknown {
    const why = cause instanceof Forgotten ? said`` : said`, and has no result${detail(` (${cause.message})`)}`
    return new ResultUnknown({
      ...this.#common(call),
      cause: cause instanceof Forgotten ? undefined : cause,
      ...said`${open(this.#backend.id)}: tools/call began ${aTask(call.task)}, which has the status ${
        open((JSON.stringify(status) ?? "nothing").slice(0, 100))
      }, which the protocol does not know${why}; check before you repeat it`
    })
  }

  #remote(call: ToolCall, { cause, code, data, message, publicMessage }: RemoteError): RemoteError {
    return new RemoteError({ ...this.#common(call), code, data, message, publicMessage, cause })
  }

  #common({ method, task }: ToolCall) {
    return { backend: this.#backend.id, generation: task?.on.generation, method }
  }

  #describe(call: ToolCall, { statusMessage }: Said): void {
    const { task } = call
    if (task === undefined || typeof statusMessage !== "string" || statusMessage === task.said) return
    task.said = statusMessage
    const now = call.heardAt = this.#backend.now()
    if (call.openEnded) call.deadline = now + call.timeout
    this.#backend.safely("a caller's onprogress", () => call.progress?.described(statusMessage, now))
  }
}

/** The server's task id is not the one that the gateway gives its clients. */
const aTask = (task: { readonly id: string } | undefined): Texts => ({
  message: `task ${task?.id}`,
  publicMessage: "a task"
})

const isAbandoned = (exit: Exit.Failure<unknown, unknown>): boolean =>
  Exit.isInterrupted(exit) ||
  (exit.cause._tag === "Fail" &&
    (exit.cause.error instanceof RequestTimeout || exit.cause.error instanceof ProtocolError))
