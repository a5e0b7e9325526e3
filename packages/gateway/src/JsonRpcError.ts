/**
 * What a client of the gateway sees of a failed call, as a JSON-RPC error.
 */
import type { CallError } from "@mcp-lifeline/core"
import { JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js"
import type { Cause } from "effect"

/** What a schema of the official SDK has found wrong. */
export interface Issue {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

/**
 * An error that the official SDK turns into a JSON-RPC error as it stands. Its own `McpError` would put the code in front
 * of the message once more on every hop.
 */
export class JsonRpcError extends Error {
  readonly code: number
  readonly data: unknown
  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.name = "JsonRpcError"
    this.code = code
    this.data = data
  }
}

const describe = ({ message, path }: Issue): string => {
  const [first, ...rest] = path
  const name = first === "params" && rest.length > 0 ? rest : path
  const what = /^Invalid input(?:: (.*))?$/s.exec(message)
  return `${name.map(String).join(".")}: ${what ? what[1] ?? "not of an accepted form" : message}`
}

/** How many parameters are named that are wrong. */
const maxIssues = 3

/** The parameters of a request do not fit its method: one line that names them. */
export const invalidParams = (method: string, issues: ReadonlyArray<Issue>): JsonRpcError => {
  const more = issues.length > maxIssues ? [`${issues.length - maxIssues} more`] : []
  const named = [...issues.slice(0, maxIssues).map(describe), ...more].join("; ")
  return new JsonRpcError(ErrorCode.InvalidParams, `Invalid params of ${method}: ${named}`.replaceAll(/\s+/g, " "))
}

/** The gateway does not have the method. */
export const methodNotFound = (method: string): JsonRpcError =>
  new JsonRpcError(ErrorCode.MethodNotFound, `Method not found: ${method}`)

/** What a client of the gateway sees of a call that ended without a result. */
export const fromCause = (cause: Cause.Cause<CallError>): JsonRpcError => {
  const { code, data, message } = Failure.fromCause(
    cause,
    "The gateway is shutting down",
    "Internal error of the gateway; its log has more"
  )
  return new JsonRpcError(code, message, data)
}
