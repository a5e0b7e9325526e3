import type { CallError } from "@mcp-lifeline/core"
import { JsonValue } from "@mcp-lifeline/core/text"
import { JsonRpc, JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import { type Cause, Predicate } from "effect"

export type JsonRpcError = Failure.JsonRpcError

const schemaOf = {
  "tools/call": "CallToolRequestSchema",
  "prompts/get": "GetPromptRequestSchema",
  "resources/read": "ReadResourceRequestSchema",
  "completion/complete": "CompleteRequestSchema",
  "logging/setLevel": "SetLevelRequestSchema",
  "resources/subscribe": "SubscribeRequestSchema",
  "resources/unsubscribe": "UnsubscribeRequestSchema"
} as const

/** The gateway reads its params. */
export type Checked = keyof typeof schemaOf

interface Issue {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

const describe = ({ message, path }: Issue): string => {
  const [first, ...rest] = path
  const name = first === "params" && rest.length > 0 ? rest : path
  const what = /^Invalid input(?:: (.*))?$/s.exec(message)
  return `${name.map(String).join(".")}: ${what ? what[1] ?? "not of an accepted form" : message}`
}

const maxIssues = 3

/** Of a record or an array: a schema says something of each. */
const maxMembers = 20

/** Keeps texts last: others are more often wrong. */
const pruned = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, maxMembers).map(pruned)
  if (!Predicate.isRecord(value)) return value
  const names = Object.keys(value)
  const others = names.filter((name) => !Predicate.isString(value[name])).slice(0, maxMembers)
  const texts = names.filter((name) => Predicate.isString(value[name])).slice(0, maxMembers)
  return Object.fromEntries([...others, ...texts].map((name) => [name, pruned(value[name])]))
}

/** In one line. Loads the schemas only when it runs. */
export const invalidParams = async (method: Checked, params: unknown): Promise<JsonRpcError> => {
  const types = await import("@modelcontextprotocol/sdk/types.js")
  const parsed = types[schemaOf[method]].safeParse({ method, params: pruned(params) })
  const issues: ReadonlyArray<Issue> = parsed.success ? [] : parsed.error.issues
  const more = issues.length > maxIssues ? [`${issues.length - maxIssues} more`] : []
  const named = [...issues.slice(0, maxIssues).map(describe), ...more].join("; ")
  return {
    code: JsonRpc.invalidParams,
    message: `Invalid params of ${method}${named === "" ? "" : `: ${named}`}`.replaceAll(/\s+/g, " ")
  }
}

export const methodNotFound = (method: string): JsonRpcError => ({
  code: JsonRpc.methodNotFound,
  message: `Method not found: ${method}`
})

/** Not nested too deeply to be encoded and decoded. */
export const isReadable = (value: unknown): boolean => !JsonValue.isTooDeep(value)

export const unreadableResult = (method: string): JsonRpcError => ({
  code: Failure.ourCode,
  message:
    `${method} was carried out, and its result is nested more than ${JsonValue.defaultDepth} levels deep, which is not passed on: have the server give it in another form`,
  data: { fate: "answered" }
})

export const unreadableParams = (method: string): JsonRpcError => ({
  code: JsonRpc.invalidParams,
  message: `the params of ${method} are nested more than ${JsonValue.defaultDepth} levels deep, which is not passed on`
})

export const shuttingDown = "The gateway is shutting down"

/** Details of a defect go only into the log, because they may contain anything. */
export const fault: JsonRpcError = {
  code: JsonRpc.internalError,
  message: "Internal error of the gateway; its log has more"
}

export const fromCause = (cause: Cause.Cause<CallError>): JsonRpcError =>
  Failure.fromCause(cause, shuttingDown, fault.message)
