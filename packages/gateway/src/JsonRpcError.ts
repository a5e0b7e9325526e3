/**
 * What a client of the gateway sees of a failed call, as a JSON-RPC error.
 */
import type { CallError } from "@mcp-lifeline/core"
import { Cause } from "effect"

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

/** A failed call: what the backend answered, as it stands; else what is known of the fate of the request. */
export const fromError = (error: CallError): JsonRpcError => {
  if (error._tag === "RemoteError") return new JsonRpcError(error.code, error.message, error.data)
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
    : new JsonRpcError(-32_603, "Internal error of the gateway")
}
