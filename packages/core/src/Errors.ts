/**
 * Everything that can go wrong, one class for each decision that a caller can take.
 *
 * `ConnectError` and `RequestError` are also what adapters report through the ports; the rest is made by the core.
 */
import { Cause, Data, Option, Predicate, Schema } from "effect"
import { messageOf } from "./internal/messageOf.js"
import { connectReasons } from "./port/ConnectReason.js"

const common = {
  /** The name of the backend; empty in what an adapter makes, stamped by the core. */
  backend: Schema.String,
  /** The generation that was current, where there was one. */
  generation: Schema.optional(Schema.Number),
  /** One line that says what happened and what to do. */
  message: Schema.String,
  /** What caused it, as it came. */
  cause: Schema.optional(Schema.Defect)
} as const

/** Why a connection could not be made. `session`: the server forgot the session before the handshake ended. */
export const ConnectReason = Schema.Literal(...connectReasons)

/** Why a connection could not be made. */
export type ConnectReason = typeof ConnectReason.Type

/** No connection could be made. `permanent` says that waiting does not help. */
export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
  ...common,
  reason: ConnectReason,
  /** Waiting does not help: the command does not exist, the credentials are refused, the protocol does not fit. */
  permanent: Schema.Boolean,
  /** How long the server asked us to wait, in milliseconds (Retry-After). */
  retryAfter: Schema.optional(Schema.Number)
}) {}

/** The session was lost, and `calls.afterSessionLoss` is `fail`: the caller decides how to go on with the new session. */
export class SessionExpired extends Schema.TaggedError<SessionExpired>()("SessionExpired", {
  ...common,
  /** The generation that has taken its place. */
  newGeneration: Schema.Number
}) {}

/** The connection ended before the request was sent, and none came in time. Nothing was carried out: calling again is safe. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", common) {}

/** There is no connection, or too many calls. Has the state, the last error, and when the next attempt is due. Nothing was carried out. */
export class BackendUnavailable extends Schema.TaggedError<BackendUnavailable>()("BackendUnavailable", {
  ...common,
  /** The lifecycle state, or `Busy` where a bound on calls in flight or waiting was reached. */
  state: Schema.String,
  lastError: Schema.optional(Schema.String),
  /** Milliseconds since the epoch. */
  nextAttemptAt: Schema.optional(Schema.Number)
}) {}

/** The request was sent and no answer came in time. The session lives on. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  ...common,
  method: Schema.String,
  /** The time that the request was given, in milliseconds. */
  timeout: Schema.Number
}) {}

/** The connection ended after the request was sent: it may or may not have been carried out. Lifeline did not send it again. */
export class ResultUnknown extends Schema.TaggedError<ResultUnknown>()("ResultUnknown", {
  ...common,
  method: Schema.String
}) {}

/** The server answered with a JSON-RPC error. */
export class RemoteError extends Schema.TaggedError<RemoteError>()("RemoteError", {
  ...common,
  method: Schema.String,
  /** The JSON-RPC error code. */
  code: Schema.Number,
  data: Schema.optional(Schema.Unknown)
}) {}

/** The server answered with something that the protocol does not allow. */
export class ProtocolError extends Schema.TaggedError<ProtocolError>()("ProtocolError", {
  ...common,
  method: Schema.optional(Schema.String)
}) {}

/** Options are not accepted. Says which, what they were, and what is accepted. `backend` and `field` are those of the first problem. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  ...common,
  /** The path of the option, for example `keepalive.interval`. */
  field: Schema.String,
  /** All of them, each with its own line; `message` lists them. */
  problems: Schema.Array(Schema.Struct({ backend: Schema.String, field: Schema.String, message: Schema.String }))
}) {}

/** What a call can end with. */
export type CallError =
  | SessionExpired
  | ConnectionLost
  | BackendUnavailable
  | RequestTimeout
  | ResultUnknown
  | RemoteError
  | ProtocolError

/** What a command (reconnect, enable) can end with. */
export type CommandError = ConnectError | BackendUnavailable

/**
 * What is known of a failed request: it never left (`notSent`), the server refused it before acting on it (`rejected`), it may
 * have been carried out (`unknown`), or the server answered (`answered`).
 */
export type Fate = "notSent" | "rejected" | "unknown" | "answered"

/** Why a request failed, as far as its connection can tell. */
export type RequestReason =
  /** The connection is over (see `onLost`). */
  | "lost"
  /** The server does not know the session any more. */
  | "session"
  /** No answer in time. */
  | "timeout"
  /** A JSON-RPC error: an answer. */
  | "remote"
  /** An answer that does not fit the protocol. */
  | "protocol"
  /** The server objects to the rate. */
  | "rateLimited"
  /** The server refuses the credentials. */
  | "unauthorized"
  /** The network failed this one request; the connection may live. */
  | "network"
  /** The server failed this one request (HTTP 5xx and the like); the connection may live. */
  | "server"
  /** A fault in the program, the caller's or ours, or an error that nobody can classify; `cause` has it. Never sent again. */
  | "fault"

/** A failed request, as a connection reports it. The core turns it into what a caller sees. */
export class RequestError extends Data.TaggedError("RequestError")<{
  readonly fate: Fate
  readonly reason: RequestReason
  readonly message: string
  /** The JSON-RPC error code of a `remote` error. */
  readonly code?: number | undefined
  /** The JSON-RPC error data of a `remote` error. */
  readonly data?: unknown
  /** Milliseconds that the server asked us to wait. */
  readonly retryAfter?: number | undefined
  /**
   * Set where a server that has forgotten the session may answer so, too: the fate of the request, if the session is lost. The
   * core finds out before it believes the answer.
   */
  readonly ifSessionLost?: "rejected" | "answered" | undefined
  readonly cause?: unknown
}> {}

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
