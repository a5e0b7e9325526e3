import type { Method, RequestError, RequestOptions } from "@mcp-lifeline/core"
import { Exit, Predicate } from "effect"

type Decode = (
  method: Method,
  result: Record<string, unknown>,
  schema: unknown
) => Exit.Exit<unknown, RequestError>

/** Its id, if the request was answered with one. */
export const taskIn = (result: Readonly<Record<string, unknown>>): string | undefined => {
  const { task } = result
  return Predicate.isRecord(task) && typeof task["taskId"] === "string" ? task["taskId"] : undefined
}

/** The id of the task that has ended when the request is answered. */
export const endedBy = (method: string, params: unknown): string | undefined => {
  if (method !== "tasks/result" && method !== "tasks/cancel") return undefined
  const id = Predicate.isRecord(params) ? params["taskId"] : undefined
  return typeof id === "string" ? id : undefined
}

/** As `decode`, of a request that may be part of running a task (`RequestOptions.runsTask`). */
export const decode = (
  decode: Decode,
  method: Method,
  result: Record<string, unknown>,
  { resultSchema, runsTask }: RequestOptions
): Exit.Exit<unknown, RequestError> => {
  if (runsTask !== true) return decode(method, result, resultSchema)
  if (method === "tools/call" && taskIn(result) !== undefined) return Exit.succeed(result)
  return decode(method === "tasks/result" ? "tools/call" : method, result, resultSchema)
}
