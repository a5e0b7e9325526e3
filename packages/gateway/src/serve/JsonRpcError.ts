/**
 * What a client of the gateway sees of a request that failed, as the error of a response. Pure.
 */
import type { CallError } from "@mcp-lifeline/core"
import { JsonRpc, JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import type { Cause } from "effect"

/** The error of a response. */
export type JsonRpcError = Failure.JsonRpcError

/** What a schema of the official SDK has found wrong. */
export interface Issue {
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

/** The parameters of a request do not fit its method: one line that names them. */
export const invalidParams = (method: string, issues: ReadonlyArray<Issue>): JsonRpcError => {
  const more = issues.length > maxIssues ? [`${issues.length - maxIssues} more`] : []
  const named = [...issues.slice(0, maxIssues).map(describe), ...more].join("; ")
  return {
    code: JsonRpc.invalidParams,
    message: `Invalid params of ${method}${named === "" ? "" : `: ${named}`}`.replaceAll(/\s+/g, " ")
  }
}

/** The gateway does not have the method. */
export const methodNotFound = (method: string): JsonRpcError => ({
  code: JsonRpc.methodNotFound,
  message: `Method not found: ${method}`
})

/** Why requests end where the gateway ends before their answer. */
export const shuttingDown = "The gateway is shutting down"

/** Something of the gateway's own broke. What that says may hold anything, and is for the log. */
export const fault: JsonRpcError = {
  code: JsonRpc.internalError,
  message: "Internal error of the gateway; its log has more"
}

/** What a client of the gateway sees of a call that ended without a result. */
export const fromCause = (cause: Cause.Cause<CallError>): JsonRpcError =>
  Failure.fromCause(cause, shuttingDown, fault.message)
