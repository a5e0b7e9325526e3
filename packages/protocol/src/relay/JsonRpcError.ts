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

/** What JSON does not say: a server's own error may look the same. */
interface Origin extends Pick<CallError, "plainMessage" | "publicMessage"> {
  /** Lifeline has made it, for want of an answer. */
  readonly isOurs: boolean
  readonly harmless?: boolean | undefined
}

const origins = new WeakMap<object, Origin>()

const from = (error: JsonRpcError, origin: Origin | undefined): JsonRpcError => {
  if (origin !== undefined) origins.set(error, origin)
  return error
}

/** Nothing that a server writes into its own makes this true. */
export const isOurs = (error: JsonRpcError): boolean => origins.get(error)?.isOurs === true

export const isHarmless = (error: JsonRpcError): boolean => origins.get(error)?.harmless === true

/** For people and models, who pass no options. */
export const plainMessageOf = (error: JsonRpcError): string => origins.get(error)?.plainMessage ?? error.message

/** It stays Lifeline's own if it is. */
export const withMessage = (error: JsonRpcError, message: string): JsonRpcError => {
  const { plainMessage: _, ...origin } = origins.get(error) ?? { isOurs: false }
  return from({ ...error, message }, origin)
}

const ends: Readonly<Record<string, string>> = {
  notSent: "The request was not carried out",
  unknown: "What became of the request is not known: it may have been carried out",
  answered: "The server's answer cannot be passed on"
}

/** What everybody may read; `undefined` for an error of a server, whose words are for its caller. */
export const publicMessageOf = (error: JsonRpcError): string | undefined => {
  const known = origins.get(error)?.publicMessage
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

/** What a server has answered stays as it is. */
export const publicOf = (error: JsonRpcError): JsonRpcError => {
  const message = publicMessageOf(error)
  if (message === undefined) return error
  const data = Predicate.isRecord(error.data) ? { data: Struct.pick(error.data, ...publicData) } : {}
  return from({ code: error.code, message, ...data }, {
    isOurs: isOurs(error),
    harmless: isHarmless(error),
    publicMessage: message
  })
}

const own = (error: JsonRpcError): JsonRpcError => from(error, { isOurs: true })

/** The server's own error, unchanged; otherwise an error with the fate of the request in `data`. */
export const fromCallError = (error: CallError): JsonRpcError => {
  if (error._tag === "RemoteError") {
    const { code, data, message } = error
    // Worth passing on without data that no client could be given.
    const isWithout = data === undefined || JsonValue.isTooDeep(data)
    return from(isWithout ? { code, message } : { code, message, data }, {
      isOurs: false,
      publicMessage: error.publicMessage
    })
  }
  const { _tag: tag, backend, generation, message, plainMessage, publicMessage } = error
  const known = Object.entries({ generation, ...details(error) }).filter(([, value]) => value !== undefined)
  return from({ code: ourCode, message, data: { fate: fates[tag], tag, backend, ...Object.fromEntries(known) } }, {
    isOurs: true,
    harmless: "harmless" in error ? error.harmless : undefined,
    plainMessage,
    publicMessage
  })
}

/** `why`: a statement. */
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
