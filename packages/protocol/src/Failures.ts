/**
 * What a failure of the SDK or of a transport means: pure decisions.
 */
import type { ConnectReason, Fate, Loss, RequestReason } from "@mcp-lifeline/core"
import { ConnectError, RequestError } from "@mcp-lifeline/core"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js"
import { originOf } from "./Link.js"
import * as LostSession from "./LostSession.js"

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** One line, not too long, from whatever was thrown or answered. */
export const describe = (error: unknown): string =>
  oneLine(error instanceof Error ? error.message : String(error)).slice(0, 500)

/** A request that was not sent, because the connection is over. */
export const refused = (loss: Loss): RequestError =>
  new RequestError({
    fate: "notSent",
    reason: "lost",
    message: loss.message,
    retryAfter: loss.retryAfter,
    cause: loss.cause
  })

/** A request that was not sent, because the caller asked for what cannot be done. */
export const misused = (cause: Error): RequestError =>
  new RequestError({ fate: "notSent", reason: "fault", message: describe(cause), cause })

/** The server's own words, without the prefix that the SDK adds. */
const remoteMessage = (error: McpError): string => {
  const prefix = `MCP error ${error.code}: `
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
}

/** Where a request stood when the SDK rejected it. */
export interface Context {
  readonly method: string
  /** The transport has a session id. */
  readonly hasSession: boolean
  readonly loss: Loss | undefined
  /** The fate of the request where the error says nothing of it. */
  readonly fate: Fate
}

/** What a rejection by the SDK's `request` means for the request. What nobody can classify is a fault, and is not sent again. */
export const toRequestError = (error: unknown, context: Context): RequestError => {
  if (error instanceof RequestError) return error
  if (error instanceof ConnectError) {
    return new RequestError({
      fate: "unknown",
      reason: "network",
      message: error.message,
      retryAfter: error.retryAfter,
      cause: error
    })
  }
  if (error instanceof McpError) {
    const origin = originOf(error)
    if (origin?._tag === "Local") return toRequestError(origin.error, { ...context, fate: origin.fate })
    if (origin?._tag === "Remote") {
      const message = remoteMessage(error)
      const verdict = context.hasSession
        ? LostSession.verdict({ status: undefined, code: error.code, message })
        : LostSession.alive
      if (verdict._tag === "Lost") {
        return new RequestError({
          fate: "rejected",
          reason: "session",
          message: `the server does not know the session any more: ${describe(message)}`,
          code: error.code,
          data: origin.data
        })
      }
      return new RequestError({
        fate: "answered",
        reason: "remote",
        message,
        code: error.code,
        data: origin.data,
        ...(verdict._tag === "Doubtful" ? { ifSessionLost: verdict.fate } : {})
      })
    }
    if (error.code === ErrorCode.RequestTimeout) {
      return new RequestError({
        fate: "unknown",
        reason: "timeout",
        message: `no answer to ${context.method} in time`,
        cause: error
      })
    }
    if (error.code === ErrorCode.ConnectionClosed) {
      return new RequestError({
        fate: "unknown",
        reason: "lost",
        message: context.loss?.message ?? "the connection was closed",
        retryAfter: context.loss?.retryAfter,
        cause: context.loss?.cause
      })
    }
  }
  if (error instanceof Error && error.message === "Not connected") {
    return new RequestError({
      fate: "notSent",
      reason: "lost",
      message: context.loss?.message ?? "the connection is closed",
      cause: error
    })
  }
  if (error instanceof Error && "issues" in error) {
    return new RequestError({
      fate: "answered",
      reason: "protocol",
      message: `the answer to ${context.method} does not fit the protocol: ${describe(error)}`,
      cause: error
    })
  }
  return new RequestError({ fate: context.fate, reason: "fault", message: describe(error), cause: error })
}

const connectReasons: { readonly [R in RequestReason]: ConnectReason } = {
  lost: "closed",
  session: "closed",
  timeout: "timeout",
  remote: "protocol",
  protocol: "protocol",
  rateLimited: "rateLimited",
  unauthorized: "unauthorized",
  network: "unreachable",
  server: "server",
  fault: "defect"
}

const unsupportedVersion = "Server's protocol version is not supported: "

const incompatible = (message: string, cause: unknown): ConnectError =>
  new ConnectError({ backend: "", reason: "incompatible", permanent: true, message, cause })

/** What a failure of `initialize` means for the attempt. */
export const toConnectError = (error: unknown, loss: Loss | undefined): ConnectError => {
  if (error instanceof ConnectError) return error
  if (error instanceof McpError) {
    const origin = originOf(error)
    if (origin?._tag === "Local" && origin.error instanceof ConnectError) return origin.error
  }
  if (error instanceof Error && error.message.startsWith(unsupportedVersion)) {
    const version = describe(error.message.slice(unsupportedVersion.length))
    return incompatible(`the server speaks only protocol version ${version}, which this client does not`, error)
  }
  const failure = toRequestError(error, { method: "initialize", hasSession: false, loss, fate: "unknown" })
  if (failure.reason === "remote") {
    const supported = (failure.data as { readonly supported?: unknown } | null | undefined)?.supported
    if (Array.isArray(supported)) {
      const versions = describe(supported.map(String).join(", "))
      return incompatible(`the server speaks only protocol version ${versions}, which this client does not`, error)
    }
    if (failure.code === ErrorCode.MethodNotFound) {
      return incompatible(
        "the server does not know initialize: it speaks only a later, stateless protocol, or is no MCP server",
        error
      )
    }
  }
  return new ConnectError({
    backend: "",
    reason: connectReasons[failure.reason],
    permanent: false,
    message: failure.reason === "remote"
      ? `the server refused initialize: ${describe(failure.message)} (code ${failure.code})`
      : oneLine(failure.message),
    retryAfter: failure.retryAfter,
    cause: failure.cause ?? error
  })
}
