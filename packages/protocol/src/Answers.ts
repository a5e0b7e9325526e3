import type { Method, RequestError, RequestOptions } from "@mcp-lifeline/core"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Exit, Predicate } from "effect"
import * as Failures from "./Failures.js"

/** The result as it came: a JSON object of which nothing more is known. */
export type Answer = Exit.Exit<Record<string, unknown>, RequestError>

export type Response = Exclude<JSONRPCMessage, { readonly method: string }>

/** Undefined for what is no response. `hasSession`: the transport has a session id. */
export const of = (response: Response, hasSession: boolean, method?: string): Answer | undefined => {
  if (response.jsonrpc !== "2.0") return undefined
  const { error, result } = response as { readonly error?: unknown; readonly result?: unknown }
  if (error === undefined) return Predicate.isRecord(result) ? Exit.succeed(result) : undefined
  if (result !== undefined || !Predicate.isRecord(error)) return undefined
  const { code, data, message } = error
  return Number.isSafeInteger(code) && typeof message === "string"
    ? Exit.fail(Failures.remote(code as number, message, data, hasSession, method))
    : undefined
}

type Decode = (
  method: Method,
  result: Record<string, unknown>,
  schema: unknown
) => Exit.Exit<unknown, RequestError>

/** Its id, if the request was answered with one. */
const taskIn = (result: Readonly<Record<string, unknown>>): string | undefined => {
  const { task } = result
  return Predicate.isRecord(task) && typeof task["taskId"] === "string" ? task["taskId"] : undefined
}

export const taskOf = (answer: Answer | undefined): string | undefined =>
  answer !== undefined && Exit.isSuccess(answer) ? taskIn(answer.value) : undefined

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
