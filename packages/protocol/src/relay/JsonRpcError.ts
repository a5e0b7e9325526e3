import type { CallError } from "@mcp-lifeline/core"
import { JsonValue } from "@mcp-lifeline/core/text"
import { Cause, Option, Predicate, Struct } from "effect"
import * as JsonRpc from "../JsonRpc.js"

export interface JsonRpcError {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** The code of Lifeline's failures, but for defects. */
export const ourCode = -32_000

const fates = {
  SessionExpired: "notSent",
  ConnectionLost: "notSent",
  BackendUnavailable: "notSent",
  RequestTimeout: "unknown",
  ResultUnknown: "unknown",
  ProtocolError: "answered"
} as const

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

/** What a server answers may look the same. */
const ours = new WeakSet<object>()

/** Whether Lifeline has made an error, for want of an answer. Nothing that a server writes into its own makes this true. */
export const isOurs = (error: JsonRpcError): boolean => ours.has(error)

/** It stays Lifeline's own if it is. */
export const withMessage = (error: JsonRpcError, message: string): JsonRpcError => {
  const changed = said({ ...error, message }, publicMessages.get(error))
  return isOurs(error) ? own(changed) : changed
}

/** What everybody may read, of errors made here or in another gateway. */
const publicMessages = new WeakMap<object, string>()

const said = (error: JsonRpcError, publicMessage: string | undefined): JsonRpcError => {
  if (publicMessage !== undefined) publicMessages.set(error, publicMessage)
  return error
}

const ends: Readonly<Record<string, string>> = {
  notSent: "The request was not carried out",
  unknown: "What became of the request is not known: it may have been carried out",
  answered: "The server's answer cannot be passed on"
}

/** What everybody may read; `undefined` for an error of a server, whose words are for its caller. */
export const publicMessageOf = (error: JsonRpcError): string | undefined => {
  const known = publicMessages.get(error)
  if (known !== undefined || !isOurs(error)) return known
  const fate = Predicate.isRecord(error.data) ? String(error.data["fate"]) : ""
  return Object.hasOwn(ends, fate) ? ends[fate] : "The request failed"
}

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

/** For those who do not run the servers. What a server has answered stays as it is. */
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
    // Worth passing on without data that no client could be given.
    const isWithout = data === undefined || JsonValue.isTooDeep(data)
    return said(isWithout ? { code, message } : { code, message, data }, error.publicMessage)
  }
  const { _tag: tag, backend, generation, message } = error
  const known = Object.entries({ generation, ...details(error) }).filter(([, value]) => value !== undefined)
  return said(
    own({ code: ourCode, message, data: { fate: fates[tag], tag, backend, ...Object.fromEntries(known) } }),
    error.publicMessage
  )
}

/** Whoever sent the request goes, or Lifeline does. `why`: a statement. */
export const interrupted = (why: string, fate: "notSent" | "unknown"): JsonRpcError =>
  own({
    code: ourCode,
    message: fate === "notSent"
      ? `${why} before the request was sent: it was not carried out`
      : `${why} before the request was answered: it may have been carried out`,
    data: { tag: "Interrupted", fate }
  })

export const isUnsent = (error: JsonRpcError): boolean =>
  isOurs(error) && Predicate.isRecord(error.data) && error.data["tag"] === "Interrupted" &&
  error.data["fate"] === "notSent"

/**
 * For every way in which a request can end without a result. `closing`: the message of an interruption. `fault`: that of a defect, instead
 * of its own.
 */
export const fromCause = (cause: Cause.Cause<CallError>, closing: string, fault?: string): JsonRpcError =>
  Option.match(Cause.failureOption(cause), {
    onSome: fromCallError,
    onNone: () =>
      Cause.isInterruptedOnly(cause)
        ? own({ code: ourCode, message: closing, data: { tag: "Interrupted", fate: "unknown" } })
        : own({ code: JsonRpc.internalError, message: fault ?? messageOf(Cause.squash(cause)) })
  })

export const messageOf = (thrown: unknown): string => thrown instanceof Error ? thrown.message : String(thrown)
