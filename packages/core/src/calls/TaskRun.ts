/**
 * A task that a server runs for a call: Lifeline asks how it is at the server's pace, on whatever connection there is, and gives its outcome
 * as the result of the call. (C17)
 */
import type { CallToolResult, Task } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Predicate } from "effect"
import { type CallError, ProtocolError, RemoteError, RequestTimeout, ResultUnknown } from "../Errors.js"
import { firstOf } from "../internal/firstOf.js"
import { detail, open, type Said as Texts, said } from "../observe/Said.js"
import type { Connection } from "../port/Connection.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { BackendState } from "../state/BackendState.js"
import * as Call from "./Call.js"
import type { FailedRequests } from "./FailedRequests.js"
import type { GivenUpCalls } from "./GivenUpCalls.js"
import { pollInterval } from "./pollInterval.js"

type ToolCall = Call.Call<"tools/call">

/** What a server says of a task. */
type Said = Pick<Task, "status"> & Partial<Task>

const internalError = -32_603
const invalidParams = -32_602

/** The task with which a server has answered a call, if it has. */
const created = (result: unknown): (Said & Pick<Task, "taskId">) | undefined => {
  const task = Predicate.isRecord(result) ? result["task"] : undefined
  const isTask = Predicate.isRecord(task) && typeof task["taskId"] === "string" && typeof task["status"] === "string"
  return isTask ? task as Said & Pick<Task, "taskId"> : undefined
}

/** Whether there is something else to ask than how the task is. A status that the protocol does not know says nothing: its outcome is asked for. */
const isEnd = ({ status }: Said): boolean => status !== "working" && status !== "input_required"

const known: ReadonlySet<string> = new Set(["working", "input_required", "completed", "failed", "cancelled"])

/** How calls are sent. */
export interface Sending {
  /** On the connection that there is, or the next one. */
  readonly attempt: Call.Attempt
  /** Once more. */
  readonly again: Call.Attempt
  /** The task of a call is over: the server may get another one. */
  readonly leave: (call: Call.Call<Method>) => void
}

/** The server has forgotten the task, and the call may be carried out twice. */
class Forgotten {
  readonly _tag = "Forgotten"
}

type Outcome = Effect.Effect<CallToolResult, CallError | Forgotten>

/** Runs the tasks of one backend's calls. */
export class TaskRun {
  readonly #backend: BackendState
  readonly #failures: FailedRequests
  readonly #givenUp: GivenUpCalls
  readonly #sending: Sending

  constructor(backend: BackendState, failures: FailedRequests, givenUp: GivenUpCalls, sending: Sending) {
    this.#backend = backend
    this.#failures = failures
    this.#givenUp = givenUp
    this.#sending = sending
  }

  /**
   * The connection on which a call is sent now. What is about a task goes first to the connection that knows it, as long as that lives: it
   * may be draining.
   */
  connectionFor<M extends Method>(call: Call.Call<M>): LiveConnection | undefined {
    const { first } = call
    call.first = undefined
    return first !== undefined && first.runtime.loss === undefined ? first : this.#backend.published.value.current
  }

  /**
   * A request was answered. Gives what remains of its call, if that was to begin a task and has; notes where a task is known, if the request
   * was about one.
   */
  answered<M extends Method>(
    call: Call.Call<M>,
    on: LiveConnection,
    result: unknown
  ): Effect.Effect<Result<M>, CallError> | undefined {
    if (call.about !== undefined) this.#answeredOn(call.about, on)
    const task = call.runsTask === true ? created(result) : undefined
    if (task === undefined) return undefined
    const run = this.#begin(call as ToolCall, on, task) as Effect.Effect<Result<M>, CallError>
    return this.#givenUp.counting(call, run)
  }

  /**
   * What remains of a call that was answered with a task. Takes a lease of the connection at once, until the call has ended: a connection is
   * not closed as idle, and drains, until the outcome is there. If the call is interrupted or its time is over, the task is cancelled.
   */
  #begin(
    call: ToolCall,
    on: LiveConnection,
    task: Said & Pick<Task, "taskId">
  ): Effect.Effect<CallToolResult, CallError> {
    const running: Call.RunningTask = call.task = { id: task.taskId, on, isThere: true, hasBegun: false, isOver: false }
    on.runtime.begin()
    return Effect.catchAll(
      Effect.uninterruptibleMask((restore) => {
        // Not before the step from which on its end is seen to.
        running.hasBegun = true
        return Effect.onExit(
          restore(firstOf(this.#outcome(call, on, task), this.#deadline(call))),
          (exit) =>
            Effect.zipRight(
              Exit.isFailure(exit) && isAbandoned(exit) ? this.abandon(call) : Effect.void,
              Effect.sync(() => this.#end(call))
            )
        )
      }),
      (error) => error instanceof Forgotten ? this.#again(call) : Effect.fail(error)
    )
  }

  #again(call: ToolCall): Effect.Effect<CallToolResult, CallError> {
    call.sent++
    call.repeated = true
    return this.#sending.again(call)
  }

  /** A connection has answered a request about the task. */
  #answeredOn({ task }: ToolCall, on: LiveConnection): void {
    if (task === undefined || task.isOver) return
    task.isThere = true
    if (task.on.runtime === on.runtime) return
    on.runtime.begin()
    task.on.runtime.end(this.#backend.now(), false)
    task.on = on
  }

  /**
   * The call is given up, perhaps before the fiber that runs its task has begun. Tells the server, where that needs no fiber; otherwise that
   * fiber does, if there is one. Waits for nothing.
   */
  cancel<M extends Method>(call: Call.Call<M>): void {
    const { task } = call
    if (task === undefined || task.isOver) return
    const connection = this.#connection(task.on)
    if (connection.send === undefined && task.hasBegun) return
    this.#end(call)
    try {
      connection.send?.("tasks/cancel", { taskId: task.id }, this.#options, () => undefined)
    } catch (defect) {
      this.#backend.reportDefect("the connector's request", defect)
    }
  }

  /** The same in a fiber, which tells the server in any case. */
  abandon<M extends Method>(call: Call.Call<M>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { task } = call
      if (task === undefined || task.isOver) return Effect.void
      this.cancel(call)
      const connection = this.#connection(task.on)
      if (connection.send !== undefined) return Effect.void
      const cancel = Effect.suspend(() => connection.request("tasks/cancel", { taskId: task.id }, this.#options))
      return Effect.asVoid(Effect.forkDaemon(Effect.interruptible(Effect.ignore(cancel))))
    })
  }

  #connection(on: LiveConnection): Connection {
    return (on.runtime.loss === undefined ? on : this.#backend.published.value.current ?? on).connection
  }

  get #options() {
    return { timeout: this.#backend.policy.timeouts.request, runsTask: true }
  }

  #end<M extends Method>(call: Call.Call<M>): void {
    const { task } = call
    if (task === undefined || task.isOver) return
    task.isOver = true
    this.#sending.leave(call as Call.Call<Method>)
    task.on.runtime.end(this.#backend.now(), false)
  }

  /** Fails when the time of the call is over. */
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

  /** Asks how the task is until that is over, then for its outcome. */
  #outcome(call: ToolCall, begun: LiveConnection, first: Said): Outcome {
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

  /** How the task is. A connection that is lost says nothing: the next one is asked. */
  #status(call: ToolCall, begun: LiveConnection): Effect.Effect<Said, CallError | Forgotten> {
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

  /** The outcome of a task that is over, or will be when this is answered. */
  #result(call: ToolCall, begun: LiveConnection, said: Said): Outcome {
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
          // The tool may have failed with this code. Where it has not failed, the server says it of the task.
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
      return this.#sending.attempt(Call.make(method, params, options, undefined, timeout, this.#backend.now(), call))
    })
  }

  /** The server does not know the task: the call is as any other that may have been carried out. */
  #forgotten(
    call: ToolCall,
    { runtime }: LiveConnection,
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
    return { backend: this.#backend.id, generation: task?.on.runtime.generation, method }
  }

  /** Tells the caller what the server says of the task, once. */
  #describe(call: ToolCall, { statusMessage }: Said): void {
    const { task } = call
    if (task === undefined || typeof statusMessage !== "string" || statusMessage === task.said) return
    task.said = statusMessage
    const now = call.heardAt = this.#backend.now()
    if (call.openEnded) call.deadline = now + call.timeout
    call.progress?.described(statusMessage, now)
  }
}

/** The id of a task at the server is not the one that the gateway gives its clients. */
const aTask = (task: { readonly id: string } | undefined): Texts => ({
  message: `task ${task?.id}`,
  publicMessage: "a task"
})

/** Whether nobody waits for the outcome any more. */
const isAbandoned = (exit: Exit.Failure<unknown, unknown>): boolean =>
  Exit.isInterrupted(exit) ||
  (exit.cause._tag === "Fail" &&
    (exit.cause.error instanceof RequestTimeout || exit.cause.error instanceof ProtocolError))
