/**
 * Makes the error of a JSON-RPC response from a failed request, for clients of other programs. Pure.
 */
import type { CallError } from "@mcp-lifeline/core"
import { Nesting } from "@mcp-lifeline/core/internal"
import { Cause, Option, Predicate } from "effect"
import * as JsonRpc from "../JsonRpc.js"

/** The error of a JSON-RPC response. */
export interface JsonRpcError {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** The code of every failure that Lifeline reports and that is not the server's answer. */
export const ourCode = -32_000

const fates = {
  SessionExpired: "notSent",
  ConnectionLost: "notSent",
  BackendUnavailable: "notSent",
  RequestTimeout: "unknown",
  ResultUnknown: "unknown",
  ProtocolError: "answered"
} as const

/** The members that only some failures have. */
const details = (error: Exclude<CallError, { readonly _tag: "RemoteError" }>): object => {
  switch (error._tag) {
    case "RequestTimeout":
      return { timeout: error.timeout }
    case "SessionExpired":
      return { newGeneration: error.newGeneration }
    case "BackendUnavailable":
      return { state: error.state, lastError: error.lastError, nextAttemptAt: error.nextAttemptAt }
    default:
      return {}
  }
}

/** The errors that were made here: what a server answers may look the same. */
const ours = new WeakSet<object>()

/** Whether Lifeline has made an error, because it has no answer of the server. Nothing that a server writes into its own makes this true. */
export const isOurs = (error: JsonRpcError): boolean => ours.has(error)

/** The same error with another message. It stays Lifeline's own if it is. */
export const withMessage = (error: JsonRpcError, message: string): JsonRpcError => {
  const changed = { ...error, message }
  return isOurs(error) ? own(changed) : changed
}

/** The same error with other texts, if it is Lifeline's own: its message, and why a server cannot be reached. Others stay as they are. */
export const withTexts = (error: JsonRpcError, change: (text: string) => string): JsonRpcError => {
  if (!isOurs(error)) return error
  const { data, message } = error
  const lastError = Predicate.isRecord(data) && Predicate.isString(data["lastError"])
    ? { data: { ...data, lastError: change(data["lastError"]) } }
    : {}
  return own({ ...error, message: change(message), ...lastError })
}

const own = (error: JsonRpcError): JsonRpcError => {
  ours.add(error)
  return error
}

/** The server's own error, unchanged; otherwise an error with the fate of the request in `data`. */
export const fromCallError = (error: CallError): JsonRpcError => {
  if (error._tag === "RemoteError") {
    const { code, data, message } = error
    // The code and the message are worth passing on without data that no client could be given.
    return data === undefined || Nesting.isDeeper(data, Nesting.defaultDepth)
      ? { code, message }
      : { code, message, data }
  }
  const { _tag: tag, backend, generation, message } = error
  const known = Object.entries({ generation, ...details(error) }).filter(([, value]) => value !== undefined)
  return own({ code: ourCode, message, data: { fate: fates[tag], tag, backend, ...Object.fromEntries(known) } })
}

/**
 * A request that ends without an answer, because whoever sent it goes, or Lifeline does. `why`: a statement. `fate`: what is known of the
 * request.
 */
export const interrupted = (why: string, fate: "notSent" | "unknown"): JsonRpcError =>
  own({
    code: ourCode,
    message: fate === "notSent"
      ? `${why} before the request was sent: it was not carried out`
      : `${why} before the request was answered: it may have been carried out`,
    data: { tag: "Interrupted", fate }
  })

/**
 * The same for every way in which a request can end without a result. `closing`: the message if the request is interrupted. `fault`: the
 * message for a defect, instead of the defect's own.
 */
export const fromCause = (cause: Cause.Cause<CallError>, closing: string, fault?: string): JsonRpcError =>
  Option.match(Cause.failureOption(cause), {
    onSome: fromCallError,
    onNone: () =>
      Cause.isInterruptedOnly(cause)
        ? own({ code: ourCode, message: closing, data: { tag: "Interrupted", fate: "unknown" } })
        : own({ code: JsonRpc.internalError, message: fault ?? messageOf(Cause.squash(cause)) })
  })

/** The message of a value that other code has thrown. */
export const messageOf = (thrown: unknown): string => thrown instanceof Error ? thrown.message : String(thrown)
