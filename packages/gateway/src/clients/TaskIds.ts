/**
 * The ids of tasks as clients know them, with the server, and the tool: who may not use that any more does not get its result. To another
 * caller the task is unknown.
 */
import { Era } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { createHash } from "node:crypto"
import { type JsonRpcError, methodNotFound } from "../conversation/errors.js"
import * as OwnedTexts from "./OwnedTexts.js"

type Values = Readonly<Record<string, unknown>>

const { isRecord, isString } = Predicate

/** In `_meta`: to which task a message belongs. */
const related = "io.modelcontextprotocol/related-task"

/** Requests that go to the server of a task. */
export const isAboutTask = (method: string): boolean =>
  method.startsWith("tasks/") && /^(get|result|update|cancel)$/.test(method.slice(6))

const extension = "io.modelcontextprotocol/tasks"

/** There is no such method, or the client has not declared the extension for tasks. */
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

export interface Task {
  readonly server: string
  /** By the name that the server gives it. */
  readonly tool: string
  readonly id: string
}

/** In one conversation, so that what servers say of tasks by themselves has the same ids. */
const maxKnown = 1000

export class TaskIds {
  readonly #ids: OwnedTexts.OwnedTexts
  /** The tools of tasks, by server and id; those last asked for come last. */
  readonly #known = new Map<string, string>()

  constructor(owner: OwnedTexts.Owner) {
    this.#ids = OwnedTexts.make("task", owner)
  }

  /** `undefined` if the gateway has given this caller no such id. */
  find(id: unknown): Task | undefined {
    const { path: [server, tool] = [], text = "" } = this.#ids.open(id) ?? {}
    if (server === undefined || tool === undefined) return undefined
    this.#remember(server, tool, text)
    return { server, tool, id: text }
  }

  /** Returns the same object if the request has no task. */
  inMessage<V extends Values>(server: string, value: V): V {
    return this.#inMeta(value, (id) => this.#scoped(server, this.#known.get(keyOf(server, id)), id))
  }

  /** The result may be a task, begin one, or belong to one; otherwise returns the same object. */
  inResult<V extends Values>({ server, tool }: Omit<Task, "id">, result: V): V {
    const scoped = (id: string): string => {
      this.#remember(server, tool, id)
      return this.#scoped(server, tool, id)
    }
    const { task } = result
    const named = withId(isRecord(task) ? { ...result, task: withId(task, scoped) } : result, scoped)
    return this.#inMeta(named, scoped) as V
  }

  #inMeta<V extends Values>(value: V, scoped: (id: string) => string): V {
    const meta = value["_meta"]
    if (!isRecord(meta) || !isRecord(meta[related])) return value
    return { ...value, _meta: { ...meta, [related]: withId(meta[related], scoped) } }
  }

  /** Without its tool, an id leads nowhere. */
  #scoped(server: string, tool: string | undefined, id: string): string {
    return this.#ids.seal({ path: tool === undefined ? [server] : [server, tool], text: id })
  }

  #remember(server: string, tool: string, id: string): void {
    const key = keyOf(server, id)
    this.#known.delete(key)
    this.#known.set(key, tool)
    const [first] = this.#known.keys()
    if (this.#known.size > maxKnown && first !== undefined) this.#known.delete(first)
  }
}

/** Short, however long the id is. */
const keyOf = (server: string, id: string): string =>
  createHash("sha256").update(JSON.stringify([server, id])).digest("base64url")

const withId = (value: Values, scoped: (id: string) => string): Values =>
  isString(value["taskId"]) ? { ...value, taskId: scoped(value["taskId"]) } : value
