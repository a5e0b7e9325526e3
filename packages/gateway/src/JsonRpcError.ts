/**
 * What a client of the gateway sees of a failed call, as a JSON-RPC error.
 */
import { type CallError, Nesting } from "@mcp-lifeline/core"
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js"
import { Cause } from "effect"

/** What a schema of the official SDK has found wrong. */
export interface Issue {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

/** The code of every failure that is the gateway's own and not the backend's answer. */
export const gatewayCode = -32_000

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

/** A failed call: what the backend answered, as it stands; else what is known of the fate of the request. */
export const fromError = (error: CallError): JsonRpcError => {
  if (error._tag === "RemoteError") {
    // The code and the message are worth passing on without data that no client could be given. (P12)
    const data = Nesting.isDeeper(error.data, Nesting.defaultDepth) ? undefined : error.data
    return new JsonRpcError(error.code, error.message, data)
  }
  const { _tag: tag, backend, generation, message } = error
  const about = { tag, backend, ...(generation !== undefined && { generation }) }
  switch (error._tag) {
    case "ResultUnknown":
      return new JsonRpcError(gatewayCode, message, { ...about, fate: "unknown" })
    case "RequestTimeout":
      return new JsonRpcError(gatewayCode, message, { ...about, fate: "unknown", timeout: error.timeout })
    case "ProtocolError":
      return new JsonRpcError(gatewayCode, message, { ...about, fate: "answered" })
    case "SessionExpired":
      return new JsonRpcError(gatewayCode, message, { ...about, fate: "notSent", newGeneration: error.newGeneration })
    case "ConnectionLost":
      return new JsonRpcError(gatewayCode, message, { ...about, fate: "notSent" })
    case "BackendUnavailable":
      return new JsonRpcError(gatewayCode, message, {
        ...about,
        fate: "notSent",
        state: error.state,
        ...(error.lastError !== undefined && { lastError: error.lastError }),
        ...(error.nextAttemptAt !== undefined && { nextAttemptAt: error.nextAttemptAt })
      })
  }
}

/** The same for every way in which a call can end without a result. */
export const fromCause = (cause: Cause.Cause<CallError>): JsonRpcError => {
  const failure = Cause.failureOption(cause)
  if (failure._tag === "Some") return fromError(failure.value)
  return Cause.isInterruptedOnly(cause)
    ? new JsonRpcError(gatewayCode, "The gateway is shutting down", { tag: "Interrupted", fate: "unknown" })
    : new JsonRpcError(ErrorCode.InternalError, "Internal error of the gateway; its log has more")
}
