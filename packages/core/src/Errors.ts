/** One class for each decision that a caller can make. Adapters report `ConnectError` and `RequestError`; the core makes the others. */
import { Cause, Data, Option, Predicate, Schema } from "effect"
import { messageOf } from "./internal/thrown.js"
import { connectReasons, type RequestReason } from "./Reasons.js"

const common = {
  /** Empty in errors of an adapter, until the core sets it. */
  backend: Schema.String,
  /** Of the connection, if there was one. */
  generation: Schema.optional(Schema.Number),
  /** One line: what happened and what to do. */
  message: Schema.String,
  /** For people and models: without what only a program can do. Default: `message`. */
  plainMessage: Schema.optional(Schema.String),
  /**
   * For those who use the backend and do not run it: nothing of how it is started or reached, and no words of others. Without it, nothing of the
   * message is for them; of a RemoteError, what the server says.
   */
  publicMessage: Schema.optional(Schema.String),
  /** The original error, unchanged. */
  cause: Schema.optional(Schema.Defect)
} as const

/** `session`: the server forgot the session before the handshake ended. */
export const ConnectReason = Schema.Literal(...connectReasons)

export type ConnectReason = typeof ConnectReason.Type

export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
  ...common,
  reason: ConnectReason,
  /** Waiting does not help: no such command, refused credentials, or an incompatible protocol. */
  permanent: Schema.Boolean,
  /** What the server asked for, in milliseconds (Retry-After). */
  retryAfter: Schema.optional(Schema.Number)
}) {}

/** The session was lost, and `calls.afterSessionLoss` is `fail`. */
export class SessionExpired extends Schema.TaggedError<SessionExpired>()("SessionExpired", {
  ...common,
  newGeneration: Schema.Number
}) {}

/** The connection ended before the request was sent, and no new one came in time. Calling again is safe. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", common) {}

/** There is no connection, or there are too many calls. Calling again is safe. */
export class BackendUnavailable extends Schema.TaggedError<BackendUnavailable>()("BackendUnavailable", {
  ...common,
  /** The lifecycle state, or `Busy`: too many calls in flight or waiting. */
  state: Schema.String,
  lastError: Schema.optional(Schema.String),
  /** The code of `lastError`. */
  lastReason: Schema.optional(Schema.String),
  /** Milliseconds since the epoch. */
  nextAttemptAt: Schema.optional(Schema.Number)
}) {}

/** No answer in time. The session stays. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  ...common,
  method: Schema.String,
  /** In milliseconds. */
  timeout: Schema.Number,
  /** Doing it twice does no harm. */
  harmless: Schema.optional(Schema.Boolean)
}) {}

/** The connection ended after the request was sent: the server may have carried it out. Not sent again. */
export class ResultUnknown extends Schema.TaggedError<ResultUnknown>()("ResultUnknown", {
  ...common,
  method: Schema.String,
  /** Doing it twice does no harm. */
  harmless: Schema.optional(Schema.Boolean)
}) {}

/** The server answered with a JSON-RPC error, or no server of a fleet has what was asked for. */
export class RemoteError extends Schema.TaggedError<RemoteError>()("RemoteError", {
  ...common,
  method: Schema.String,
  code: Schema.Number,
  data: Schema.optional(Schema.Unknown)
}) {}

/** The answer does not match the protocol. */
export class ProtocolError extends Schema.TaggedError<ProtocolError>()("ProtocolError", {
  ...common,
  method: Schema.optional(Schema.String)
}) {}

/** `backend` and `field` are those of the first problem. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  ...common,
  /** For example `keepalive.interval`. */
  field: Schema.String,
  /** All, one line each; `message` lists them. */
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

/** Of `reconnect` and `enable`. */
export type CommandError = ConnectError | BackendUnavailable

/**
 * A failed request was not sent, was refused by the server before acting on it (`rejected`), may have been carried out (`unknown`), or was
 * answered.
 */
export type Fate = "notSent" | "rejected" | "unknown" | "answered"

export type { RequestReason } from "./Reasons.js"

/** As a connection reports it; the core makes the caller's error from it. */
export class RequestError extends Data.TaggedError("RequestError")<{
  readonly fate: Fate
  readonly reason: RequestReason
  readonly message: string
  /** Of a `remote` error that another gateway made: what everybody may read of it. */
  readonly publicMessage?: string | undefined
  /** Of a `remote` error (JSON-RPC). */
  readonly code?: number | undefined
  readonly data?: unknown
  /** Asked for by the server, in milliseconds. */
  readonly retryAfter?: number | undefined
  /** The fate if the server gave this answer because it has forgotten the session; the core checks that before it accepts the answer. */
  readonly ifSessionLost?: "rejected" | "answered" | undefined
  /** A part of a request that was not sent may have reached, and ended, the server. */
  readonly partlySent?: boolean | undefined
  readonly cause?: unknown
}> {}

/**
 * The server asks us to wait (429, Retry-After), so it is alive.
 *
 * @internal
 */
export const isObjection = ({ reason, retryAfter }: RequestError): boolean =>
  reason === "rateLimited" || (retryAfter !== undefined && reason !== "session")

/**
 * Something that is no server answered in its place: it is being replaced, or does not know this request.
 *
 * @internal
 */
export const isGone = ({ ifSessionLost, reason }: RequestError): boolean =>
  reason === "network" && ifSessionLost !== undefined

/**
 * Also of a connector that dies or interrupts itself.
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
