/**
 * What the client of a supervised transport is answered: pure decisions.
 */
import type { CallError } from "@mcp-lifeline/core"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Option } from "effect"
import { ConnectError } from "../Errors.js"

/** The error of a JSON-RPC response. */
export interface JsonRpcError {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** The code of every failure that is ours and not the server's answer. */
export const ourCode = -32_000

const fates = {
  SessionExpired: "notSent",
  ConnectionLost: "notSent",
  BackendUnavailable: "notSent",
  RequestTimeout: "unknown",
  ResultUnknown: "unknown",
  ProtocolError: "answered"
} as const

/** A failed request: what the server answered, as it stands; else what is known of the fate of the request. */
const fromCallError = (error: CallError): JsonRpcError => {
  if (error._tag === "RemoteError") {
    return { code: error.code, message: error.message, ...(error.data === undefined ? {} : { data: error.data }) }
  }
  const { _tag: tag, backend, generation, message } = error
  const data = { fate: fates[tag], tag, backend, ...(generation === undefined ? {} : { generation }) }
  return error._tag === "BackendUnavailable"
    ? {
      code: ourCode,
      message,
      data: { ...data, state: error.state, lastError: error.lastError, nextAttemptAt: error.nextAttemptAt }
    }
    : { code: ourCode, message, data }
}

/** The same for every way in which a request can end without a result. */
export const fromCause = (cause: Cause.Cause<CallError>): JsonRpcError =>
  Option.match(Cause.failureOption(cause), {
    onSome: fromCallError,
    onNone: () =>
      Cause.isInterruptedOnly(cause)
        ? { code: ourCode, message: "the transport was closed", data: { fate: "unknown" } }
        : { code: ErrorCode.InternalError, message: messageOf(Cause.squash(cause)) }
  })

/** Whether a person has to log in. */
export const isUnauthorized = (error: unknown): boolean =>
  error instanceof Error && "_tag" in error && error._tag === "UnauthorizedError"

const messageOf = (fault: unknown): string => fault instanceof Error ? fault.message : String(fault)

/** Why `initialize` failed. */
export const fromConnectFailure = (error: unknown): JsonRpcError => {
  const message = messageOf(error)
  return error instanceof ConnectError
    ? {
      code: ourCode,
      message,
      data: {
        fate: "notSent",
        tag: error._tag,
        backend: error.backend,
        reason: error.reason,
        permanent: error.permanent,
        status: error.status
      }
    }
    : { code: ourCode, message, data: { fate: "notSent" } }
}

/** What a server can do, and that its lists may change: after a restart they can differ, whatever the server announces. */
export const announcing = (capabilities: ServerCapabilities): ServerCapabilities => {
  const { prompts, resources, tools } = capabilities
  return {
    ...capabilities,
    ...(tools === undefined ? {} : { tools: { ...tools, listChanged: true } }),
    ...(prompts === undefined ? {} : { prompts: { ...prompts, listChanged: true } }),
    ...(resources === undefined ? {} : { resources: { ...resources, listChanged: true } })
  }
}
