import { JsonRpcError } from "@mcp-lifeline/protocol"
import { ConnectError } from "../Errors.js"

export const isUnauthorized = (error: unknown): boolean =>
  error instanceof Error && "_tag" in error && error._tag === "UnauthorizedError"

/** For the client. */
export const toJsonRpc = (error: unknown): JsonRpcError.JsonRpcError => {
  const message = JsonRpcError.messageOf(error)
  const details = error instanceof ConnectError
    ? {
      tag: error._tag,
      backend: error.backend,
      reason: error.reason,
      permanent: error.permanent,
      status: error.status
    }
    : {}
  return { code: JsonRpcError.ourCode, message, data: { fate: "notSent", ...details } }
}
