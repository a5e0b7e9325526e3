/**
 * All errors, with one class for each decision that a caller can make.
 *
 * Adapters also report `ConnectError` and `RequestError` through the ports; the core makes the others.
 */
import { Cause, Data, Option, Predicate, Schema } from "effect"
import { connectReasons } from "./ConnectReason.js"
import { messageOf } from "./internal/messageOf.js"
import type { RequestReason } from "./RequestReason.js"

const common = {
  /** The name of the backend. Empty in errors of an adapter, until the core sets it. */
  backend: Schema.String,
  /** The number of the connection, if there was one. */
  generation: Schema.optional(Schema.Number),
  /** One line that says what happened and what to do. */
  message: Schema.String,
  /**
   * The same for those who use the backend and do not run it: nothing of how it is started or reached, and no words of others. Without it, nothing
   * of the message is for them; that of a RemoteError without it is what the server says.
   */
  publicMessage: Schema.optional(Schema.String),
  /** The original error, unchanged. */
  cause: Schema.optional(Schema.Defect)
} as const

/** Why a connection could not be made. `session`: the server forgot the session before the handshake ended. */
export const ConnectReason = Schema.Literal(...connectReasons)

/** Why a connection could not be made. */
export type ConnectReason = typeof ConnectReason.Type

/** Lifeline could not connect. `permanent` says that waiting does not help. */
export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
  ...common,
  reason: ConnectReason,
  /** Whether waiting does not help: the command does not exist, the server refuses the credentials, or the protocol is incompatible. */
  permanent: Schema.Boolean,
  /** How long the server asked us to wait, in milliseconds (Retry-After). */
  retryAfter: Schema.optional(Schema.Number)
}) {}

/** The session was lost, and `calls.afterSessionLoss` is `fail`: the caller decides how to continue with the new session. */
export class SessionExpired extends Schema.TaggedError<SessionExpired>()("SessionExpired", {
  ...common,
  /** The generation of the new session. */
  newGeneration: Schema.Number
}) {}

/** The connection ended before Lifeline sent the request, and there was no new one in time. Calling again is safe. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", common) {}

/**
 * There is no connection, or there are too many calls. Has the state, the last error, and when the next attempt is due. Calling again
 * is safe.
 */
export class BackendUnavailable extends Schema.TaggedError<BackendUnavailable>()("BackendUnavailable", {
  ...common,
  /** The lifecycle state, or `Busy` if too many calls are in flight or waiting. */
  state: Schema.String,
  lastError: Schema.optional(Schema.String),
  /** The code of `lastError`. */
  lastReason: Schema.optional(Schema.String),
  /** Milliseconds since the epoch. */
  nextAttemptAt: Schema.optional(Schema.Number)
}) {}

/** The server did not answer in time. The session stays. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  ...common,
  method: Schema.String,
  /** The timeout of the request, in milliseconds. */
  timeout: Schema.Number
}) {}

/** The connection ended after Lifeline sent the request, so the server may or may not have carried it out. Lifeline did not send it again. */
export class ResultUnknown extends Schema.TaggedError<ResultUnknown>()("ResultUnknown", {
  ...common,
  method: Schema.String
}) {}

/** The server answered with a JSON-RPC error; or none of the servers of a fleet has what was asked for. */
export class RemoteError extends Schema.TaggedError<RemoteError>()("RemoteError", {
  ...common,
  method: Schema.String,
  /** The JSON-RPC error code. */
  code: Schema.Number,
  data: Schema.optional(Schema.Unknown)
}) {}

/** The server's answer does not match the protocol. */
export class ProtocolError extends Schema.TaggedError<ProtocolError>()("ProtocolError", {
  ...common,
  method: Schema.optional(Schema.String)
}) {}

/**
 * Lifeline does not accept some options. Names them, their values, and what is accepted. `backend` and `field` are those of the first
 * problem.
 */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  ...common,
  /** The path of the option, for example `keepalive.interval`. */
  field: Schema.String,
  /** All problems, each with its own line; `message` lists them. */
  problems: Schema.Array(Schema.Struct({ backend: Schema.String, field: Schema.String, message: Schema.String }))
}) {}

export type CallError =
  | SessionExpired
  | ConnectionLost
  | BackendUnavailable
  | RequestTimeout
  | ResultUnknown
  | RemoteError
  | ProtocolError

/** The errors of commands (reconnect, enable). */
export type CommandError = ConnectError | BackendUnavailable

/**
 * What Lifeline knows about a failed request: it did not send it (`notSent`), the server refused it before acting on it (`rejected`), the
 * server may have carried it out (`unknown`), or the server answered (`answered`).
 */
export type Fate = "notSent" | "rejected" | "unknown" | "answered"

export type { RequestReason } from "./RequestReason.js"

/** A failed request, as a connection reports it. The core makes the caller's error from it. */
export class RequestError extends Data.TaggedError("RequestError")<{
  readonly fate: Fate
  readonly reason: RequestReason
  readonly message: string
  /** Of a `remote` error that another gateway has made in the place of the server: what everybody may read of it. */
  readonly publicMessage?: string | undefined
  /** The JSON-RPC error code of a `remote` error. */
  readonly code?: number | undefined
  /** The JSON-RPC error data of a `remote` error. */
  readonly data?: unknown
  /** Milliseconds that the server asked us to wait. */
  readonly retryAfter?: number | undefined
  /**
   * Set if a server may also give this answer because it has forgotten the session: the fate of the request in this case. The core checks
   * whether the session is lost before it accepts the answer.
   */
  readonly ifSessionLost?: "rejected" | "answered" | undefined
  /** Set if a part of a request that was not sent may have reached the server, which may have ended because of it. */
  readonly partlySent?: boolean | undefined
  readonly cause?: unknown
}> {}

/**
 * Whether the server asks us to wait (429, Retry-After), which shows that it is alive.
 *
 * @internal
 */
export const isObjection = ({ reason, retryAfter }: RequestError): boolean =>
  reason === "rateLimited" || (retryAfter !== undefined && reason !== "session")

/**
 * Whether something that is no server has answered in the place of the server, which is being replaced, or does not know this request.
 *
 * @internal
 */
export const isGone = ({ ifSessionLost, reason }: RequestError): boolean =>
  reason === "network" && ifSessionLost !== undefined

/**
 * What a request failed with: also that of a connector that dies or interrupts itself.
 *
 * @internal
 */
export const requestErrorOf = (cause: Cause.Cause<RequestError>): RequestError => {
  const failure: unknown = Option.getOrUndefined(Cause.failureOption(cause))
  if (Predicate.isTagged(failure, "RequestError")) return failure as RequestError
  const defect = failure ?? Cause.squash(cause)
  return new RequestError({
    fate: "unknown",
    reason: "fault",
    message: `the connector failed: ${messageOf(defect)}`,
    cause: defect
  })
}
