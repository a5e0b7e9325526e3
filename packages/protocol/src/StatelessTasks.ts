/**
 * Tasks of servers without sessions (the extension `io.modelcontextprotocol/tasks`), which Lifeline runs, in the form of servers with
 * sessions.
 */
import { RequestError, type RequestOptions } from "@mcp-lifeline/core"
import { pollInterval } from "@mcp-lifeline/core/internal"
import { Effect, Predicate } from "effect"
import * as Failures from "./Failures.js"
import * as InputRequests from "./InputRequests.js"

type Result = Readonly<Record<string, unknown>>

export type Method = "tasks/get" | "tasks/update" | "tasks/cancel"

const extension = "io.modelcontextprotocol/tasks"

const isRecord = Predicate.isRecord

export const declaring = (capabilities: unknown): object => {
  const given = isRecord(capabilities) ? capabilities : {}
  const extensions = isRecord(given["extensions"]) ? given["extensions"] : {}
  return { ...given, extensions: { ...extensions, [extension]: {} } }
}

const taskOf = (result: Result): Result => {
  const { pollIntervalMs: pollInterval, resultType: _, ttlMs: ttl, ...task } = result
  return { ...task, ttl, pollInterval }
}

/** As servers with sessions give it; undefined for a result. */
export const created = (result: Result): Result | undefined =>
  result["resultType"] === "task" ? { task: taskOf(result) } : undefined

export interface Parts {
  readonly ask: InputRequests.Ask
  /** With the extension declared. */
  readonly send: (method: Method, params: object, timeout: number) => Effect.Effect<Result, RequestError>
  readonly decode: (result: Record<string, unknown>) => Effect.Effect<unknown, RequestError>
  /** For each request, in milliseconds. */
  readonly timeout: number
}

/** `tasks/result` ends with the task: it asks for its status, and answers its questions. */
export const request = (
  method: string,
  params: unknown,
  options: RequestOptions,
  parts: Parts
): Effect.Effect<unknown, RequestError> => {
  const given = isRecord(params) ? params : {}
  switch (method) {
    case "tasks/get":
      return Effect.map(parts.send("tasks/get", given, options.timeout), taskOf)
    case "tasks/result":
      return outcome(given, options, parts, new Set())
    default:
      return Effect.as(parts.send("tasks/cancel", given, options.timeout), {})
  }
}

const outcome = (
  params: Result,
  options: RequestOptions,
  parts: Parts,
  answered: ReadonlySet<string>
): Effect.Effect<unknown, RequestError> =>
  Effect.flatMap(parts.send("tasks/get", params, parts.timeout), (task) => {
    const { error, inputRequests, pollIntervalMs, result, status, statusMessage } = task
    const later = (answered: ReadonlySet<string>) =>
      Effect.zipRight(Effect.sleep(pollInterval(pollIntervalMs)), outcome(params, options, parts, answered))
    switch (status) {
      case "completed":
        return isRecord(result) ? parts.decode(result) : Effect.fail(misfit("a completed task has no result"))
      case "failed": {
        const { code, data, message } = isRecord(error) ? error : {}
        return Effect.fail(Failures.remote(
          typeof code === "number" ? code : -32_603,
          typeof message === "string" ? message : String(statusMessage ?? "the task failed"),
          data,
          false
        ))
      }
      case "cancelled":
        return Effect.fail(Failures.remote(-32_603, "the server has cancelled the task", undefined, false))
      case "working":
      case "input_required":
        break
      default:
        return Effect.fail(misfit("a task has a status that the protocol does not know"))
    }
    // What was answered stays there until the server has taken it.
    const open = Object.entries(isRecord(inputRequests) ? inputRequests : {}).filter(([key]) => !answered.has(key))
    if (status !== "input_required" || open.length === 0) return later(answered)
    return InputRequests.answer("tools/call", { inputRequests: Object.fromEntries(open) }, parts.ask, options).pipe(
      Effect.flatMap((given) => parts.send("tasks/update", { ...params, ...given }, parts.timeout)),
      Effect.zipRight(Effect.suspend(() => later(new Set([...answered, ...open.map(([key]) => key)]))))
    )
  })

const misfit = (message: string) => new RequestError({ fate: "answered", reason: "protocol", message })
