/**
 * The ids of tasks as clients of the gateway know them: with the name of the server, which has the task, and a mark of the caller that has begun it.
 * Another caller cannot make that mark, so that the task is unknown to it. Pure.
 */
import type { Seal } from "@mcp-lifeline/http-server/SealedId"
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

/** The caller whose tasks they are. */
export interface Owner {
  /** See `Caller.ownerOf`; empty where nothing tells one caller from another. */
  readonly owner: string
  readonly seal: Pick<Seal, "isMark" | "mark">
}

/** The ids of one caller's tasks. */
export interface TaskIds {
  /** The server of a task, and the id that it has there; `undefined` if the gateway has given this caller no such id. */
  readonly find: (id: unknown) => { readonly server: string; readonly id: string } | undefined
  /** A message of a server, with the ids of tasks in `_meta` as the client knows them. Returns the same object if it has none. */
  readonly inMessage: <V extends Values>(server: string, value: V) => V
  /** A result that is a task, or begins one, or belongs to one, as the client knows it. */
  readonly inResult: <V extends Values>(server: string, result: V) => V
}

/** What is marked: a task of an owner. */
const textOf = ({ owner }: Owner, server: string, id: string): string => JSON.stringify(["task", owner, server, id])

/** Stands between the name of the server, in which it is encoded, and the mark. */
const separator = "@"

/** The ids of the tasks of a caller. Default: of everybody, where nothing tells one caller from another. */
export const make = (owner?: Owner): TaskIds => {
  const isMarked = owner !== undefined && owner.owner !== ""
  const scoped = (server: string, id: string): string => {
    const mark = isMarked ? `${separator}${owner.seal.mark(textOf(owner, server, id))}` : ""
    return `${encodeURIComponent(server)}${mark}:${id}`
  }
  const find: TaskIds["find"] = (given) => {
    const end = isString(given) ? given.indexOf(":") : -1
    if (!isString(given) || end < 1) return undefined
    const [name = "", mark, ...more] = given.slice(0, end).split(separator)
    const id = given.slice(end + 1)
    if (name === "" || more.length > 0 || isMarked !== (mark !== undefined)) return undefined
    try {
      const server = decodeURIComponent(name)
      return isMarked && !owner.seal.isMark(textOf(owner, server, id), mark ?? "") ? undefined : { server, id }
    } catch {
      return undefined
    }
  }
  const withId = (server: string, value: Values): Values =>
    isString(value["taskId"]) ? { ...value, taskId: scoped(server, value["taskId"]) } : value
  const inMessage: TaskIds["inMessage"] = (server, value) => {
    const meta = value["_meta"]
    if (!isRecord(meta) || !isRecord(meta[related])) return value
    return { ...value, _meta: { ...meta, [related]: withId(server, meta[related]) } }
  }
  return {
    find,
    inMessage,
    inResult: (server, result) => {
      const { task } = result
      const named = withId(server, isRecord(task) ? { ...result, task: withId(server, task) } : result)
      return inMessage(server, named) as typeof result
    }
  }
}
