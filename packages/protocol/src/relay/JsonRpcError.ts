/**
 * Makes the error of a JSON-RPC response from a failed request, for clients of other programs. Pure.
 */
import type { CallError } from "@mcp-lifeline/core"
import { Nesting } from "@mcp-lifeline/core/internal"
import { Cause, Option, Predicate, Struct } from "effect"
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
  const changed = said({ ...error, message }, publicMessages.get(error))
  return isOurs(error) ? own(changed) : changed
}

/** What everybody may read of the errors that Lifeline has made, here or in another gateway. */
const publicMessages = new WeakMap<object, string>()

const said = (error: JsonRpcError, publicMessage: string | undefined): JsonRpcError => {
  if (publicMessage !== undefined) publicMessages.set(error, publicMessage)
  return error
}

/** What is said to everybody in place of a message that has nothing for them. */
const ends: Readonly<Record<string, string>> = {
  notSent: "The request was not carried out",
  unknown: "What became of the request is not known: it may have been carried out",
  answered: "The server's answer cannot be passed on"
}

/** What everybody may read of an error that Lifeline has made; `undefined` of one of a server, whose words are for who has called it. */
export const publicMessageOf = (error: JsonRpcError): string | undefined => {
  const known = publicMessages.get(error)
  if (known !== undefined || !isOurs(error)) return known
  const fate = Predicate.isRecord(error.data) ? String(error.data["fate"]) : ""
  return Object.hasOwn(ends, fate) ? ends[fate] : "The request failed"
}

/** The members of the data of Lifeline's errors that are for everybody. */
const publicData = [
  "fate",
  "tag",
  "backend",
  "generation",
  "timeout",
  "newGeneration",
  "state",
  "nextAttemptAt"
] as const

/** An error as those read it who do not run the servers. What a server has answered stays as it is. */
export const publicOf = (error: JsonRpcError): JsonRpcError => {
  const message = publicMessageOf(error)
  if (message === undefined) return error
  const data = Predicate.isRecord(error.data) ? { data: Struct.pick(error.data, ...publicData) } : {}
  const shown = said({ code: error.code, message, ...data }, message)
  return isOurs(error) ? own(shown) : shown
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
    const isWithout = data === undefined || Nesting.isDeeper(data, Nesting.defaultDepth)
    return said(isWithout ? { code, message } : { code, message, data }, error.publicMessage)
  }
  const { _tag: tag, backend, generation, message } = error
  const known = Object.entries({ generation, ...details(error) }).filter(([, value]) => value !== undefined)
  return said(
    own({ code: ourCode, message, data: { fate: fates[tag], tag, backend, ...Object.fromEntries(known) } }),
    error.publicMessage
  )
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

/** Whether an error says that Lifeline has interrupted a request before it was sent. */
export const isUnsent = (error: JsonRpcError): boolean =>
  isOurs(error) && Predicate.isRecord(error.data) && error.data["tag"] === "Interrupted" &&
  error.data["fate"] === "notSent"

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
