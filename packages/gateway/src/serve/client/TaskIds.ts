/**
 * The ids of tasks as clients of the gateway know them: with the name of the server, which has the task. Pure.
 */
import { Era } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { type JsonRpcError, methodNotFound } from "../../conversation/errors.js"

type Values = Readonly<Record<string, unknown>>

const { isRecord, isString } = Predicate

/** The key of `_meta` that says to which task a message belongs. */
const related = "io.modelcontextprotocol/related-task"

/** A request about a task that goes to its server. */
export const isAboutTask = (method: string): boolean => /^tasks\/(get|result|update|cancel)$/.test(method)

const extension = "io.modelcontextprotocol/tasks"

/** Why a client without a session may not ask this: there is no such method, or the client has not declared the extension for tasks. */
export const refusal = (method: string, capabilities: unknown): JsonRpcError | undefined => {
  if (method === "tasks/result") return methodNotFound(method)
  const extensions = isRecord(capabilities) ? capabilities["extensions"] : undefined
  if (isRecord(extensions) && extensions[extension] !== undefined) return undefined
  return {
    code: Era.missingCapability,
    message: `${method} is for clients that declare the extension ${extension}`,
    data: { requiredCapabilities: { extensions: { [extension]: {} } } }
  }
}

const scoped = (server: string, id: string): string => `${encodeURIComponent(server)}:${id}`

/** The server of a task, and the id that it has there; `undefined` if the gateway has given no such id. */
export const find = (id: unknown): { readonly server: string; readonly id: string } | undefined => {
  const end = isString(id) ? id.indexOf(":") : -1
  if (!isString(id) || end < 1) return undefined
  try {
    return { server: decodeURIComponent(id.slice(0, end)), id: id.slice(end + 1) }
  } catch {
    return undefined
  }
}

const withId = (server: string, value: Values): Values =>
  isString(value["taskId"]) ? { ...value, taskId: scoped(server, value["taskId"]) } : value

/** A message of a server, with the ids of tasks in `_meta` as the client knows them. Returns the same object if it has none. */
export const inMessage = <V extends Values>(server: string, value: V): V => {
  const meta = value["_meta"]
  if (!isRecord(meta) || !isRecord(meta[related])) return value
  return { ...value, _meta: { ...meta, [related]: withId(server, meta[related]) } }
}

/** A result that is a task, or begins one, or belongs to one, as the client knows it. */
export const inResult = <V extends Values>(server: string, result: V): V => {
  const { task } = result
  const named = withId(server, isRecord(task) ? { ...result, task: withId(server, task) } : result) as V
  return inMessage(server, named)
}
