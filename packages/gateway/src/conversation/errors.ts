/**
 * What a client is answered where its request cannot be passed on, or fails on the way.
 */
import type { CallError } from "@mcp-lifeline/core"
import { Nesting } from "@mcp-lifeline/core/internal"
import { JsonRpc, JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import type { Cause } from "effect"

/** The error of a response. */
export type JsonRpcError = Failure.JsonRpcError

/** The schemas of the official SDK for the params of requests that we look into. */
const schemaOf = {
  "tools/call": "CallToolRequestSchema",
  "prompts/get": "GetPromptRequestSchema",
  "resources/read": "ReadResourceRequestSchema",
  "completion/complete": "CompleteRequestSchema",
  "logging/setLevel": "SetLevelRequestSchema",
  "resources/subscribe": "SubscribeRequestSchema",
  "resources/unsubscribe": "UnsubscribeRequestSchema"
} as const

/** A method whose params we look into. */
export type Checked = keyof typeof schemaOf

/** What a schema has found wrong. */
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

/** How many parameters are named that are wrong. */
const maxIssues = 3

/** What is wrong with params that do not fit their method, in one line. The schemas are loaded when they are needed. */
export const invalidParams = async (method: Checked, params: unknown): Promise<JsonRpcError> => {
  const types = await import("@modelcontextprotocol/sdk/types.js")
  const parsed = types[schemaOf[method]].safeParse({ method, params })
  const issues: ReadonlyArray<Issue> = parsed.success ? [] : parsed.error.issues
  const more = issues.length > maxIssues ? [`${issues.length - maxIssues} more`] : []
  const named = [...issues.slice(0, maxIssues).map(describe), ...more].join("; ")
  return {
    code: JsonRpc.invalidParams,
    message: `Invalid params of ${method}${named === "" ? "" : `: ${named}`}`.replaceAll(/\s+/g, " ")
  }
}

/** Nobody here has the method. */
export const methodNotFound = (method: string): JsonRpcError => ({
  code: JsonRpc.methodNotFound,
  message: `Method not found: ${method}`
})

/** Whether something is not nested too deeply to be written and read. */
export const isReadable = (value: unknown): boolean => !Nesting.isDeeper(value, Nesting.defaultDepth)

/** The error for a request whose result is not readable. */
export const unreadableResult = (method: string): JsonRpcError => ({
  code: Failure.ourCode,
  message:
    `${method} was carried out, and its result is nested more than ${Nesting.defaultDepth} levels deep, which is not passed on: have the server give it in another form`,
  data: { fate: "answered" }
})

/** The error for a request whose params are not readable. */
export const unreadableParams = (method: string): JsonRpcError => ({
  code: JsonRpc.invalidParams,
  message: `the params of ${method} are nested more than ${Nesting.defaultDepth} levels deep, which is not passed on`
})

/** Why requests end where the gateway ends before their answer. */
export const shuttingDown = "The gateway is shutting down"

/** Something of the gateway's own broke. What that says may hold anything, and is for the log. */
export const fault: JsonRpcError = {
  code: JsonRpc.internalError,
  message: "Internal error of the gateway; its log has more"
}

/** What a client sees of a call that ended without a result. */
export const fromCause = (cause: Cause.Cause<CallError>): JsonRpcError =>
  Failure.fromCause(cause, shuttingDown, fault.message)
