/**
 * Everything that a promise of the facade can be rejected with, but for the reason of an AbortSignal.
 *
 * | class | code | retryable | when |
 * |---|---|---|---|
 * | ConnectError | ERR_LIFELINE_CONNECT | unless permanent | no connection could be made |
 * | UnauthorizedError | ERR_LIFELINE_UNAUTHORIZED | yes | a person has to finish a login before there can be a connection |
 * | BackendUnavailable | ERR_LIFELINE_UNAVAILABLE | unless only a command helps | no connection came in time, or the bound on calls was reached |
 * | ConnectionLost | -32000 | yes | the connection ended before the request was sent |
 * | ResultUnknown | -32000 | no | the connection ended after the request was sent |
 * | RequestTimeout | -32001 | no | no answer in time |
 * | SessionExpired | ERR_LIFELINE_SESSION_EXPIRED | yes | the session is new, and the caller wants to decide (`afterSessionLoss: "fail"`) |
 * | RemoteError | the server's | no | the server answered with a JSON-RPC error |
 * | ProtocolError | ERR_LIFELINE_PROTOCOL | no | the server answered with what the protocol does not allow |
 * | ConfigError | ERR_LIFELINE_CONFIG | no | an option is not acceptable |
 *
 * Where the official Client rejects with an McpError, so does the facade, with the same code: RemoteError, RequestTimeout,
 * ConnectionLost and ResultUnknown extend McpError. UnauthorizedError is an instance of the official class of that name.
 */
import type { UnauthorizedError as SdkUnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { ErrorCode, McpError, UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js"

/** What every error has. */
export interface Fields {
  readonly message: string
  /** The name of the server. */
  readonly backend: string
  /** Number of the connection that was current, where there was one. */
  readonly generation?: number | undefined
  readonly cause?: unknown
}

/** What every error of the facade has in common. `_tag` and `code` are stable; the message is for people. */
export interface LifelineErrorShape {
  readonly _tag: string
  /** The JSON-RPC code where the official Client would give one, else a text that begins with `ERR_LIFELINE_`. */
  readonly code: string | number
  readonly backend: string
  readonly generation: number | undefined
  /** Asking again, later, may succeed, and nothing of this request has been carried out. */
  readonly retryable: boolean
}

const withCause = (fields: Fields): ErrorOptions | undefined =>
  fields.cause === undefined ? undefined : { cause: fields.cause }

/** Why a connection could not be made. */
export type ConnectReason =
  | "timeout"
  | "refused"
  | "unreachable"
  | "tls"
  | "closed"
  | "session"
  | "spawn"
  | "unauthorized"
  | "forbidden"
  | "notFound"
  | "rateLimited"
  | "server"
  | "redirect"
  | "protocol"
  | "incompatible"
  | "onConnected"
  | "defect"

/**
 * No connection could be made. `connect`, `reconnect`, `enable` and, with `require: "all"`, `connectAll` are rejected with
 * it. `reason` says why; with `permanent` it has to be fixed (a command that does not exist, credentials that are refused),
 * otherwise the server may come back.
 */
export class ConnectError extends Error implements LifelineErrorShape {
  override readonly name = "ConnectError"
  readonly _tag = "ConnectError"
  readonly code = "ERR_LIFELINE_CONNECT"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable: boolean
  readonly reason: ConnectReason
  /** Waiting does not help. */
  readonly permanent: boolean
  /** How long the server asked us to wait, in milliseconds. */
  readonly retryAfter: number | undefined
  /** The HTTP status for which there is no connection, where that is why. */
  readonly status: number | undefined
  constructor(
    fields: Fields & {
      readonly reason: ConnectReason
      readonly permanent: boolean
      readonly status?: number | undefined
      readonly retryAfter?: number | undefined
    }
  ) {
    super(fields.message, withCause(fields))
    this.backend = fields.backend
    this.generation = fields.generation
    this.reason = fields.reason
    this.permanent = fields.permanent
    this.retryable = !fields.permanent
    this.retryAfter = fields.retryAfter
    this.status = fields.status
  }
}

/**
 * A person has to finish a login before a connection can be made: its address was given to `redirectToAuthorization` of the
 * `authProvider`. Connect again when that is done. `connect`, `supervisedTransport` and commands are rejected with it at once.
 *
 * It is an instance of the official SDK's class of that name (`@modelcontextprotocol/sdk/client/auth.js`), which is loaded
 * only by programs that use OAuth: so there is no class of it here.
 */
export interface UnauthorizedError extends SdkUnauthorizedError, LifelineErrorShape {
  readonly name: "UnauthorizedError"
  readonly _tag: "UnauthorizedError"
  readonly code: "ERR_LIFELINE_UNAUTHORIZED"
  readonly reason: "unauthorized"
  readonly permanent: false
  readonly retryAfter: undefined
  /** 401, or 403 where the server wants more rights than the login gave. */
  readonly status: number | undefined
}

/** States out of which only a command leads. */
const commandOnly: ReadonlySet<string> = new Set([
  "Disconnected",
  "PermanentlyFailed",
  "Disabling",
  "Disabled",
  "Closed"
])

/**
 * No connection came within the time that the call could wait, or waiting is pointless, or too many calls are under way
 * (`state` is then `Busy`). The request was not sent.
 */
export class BackendUnavailable extends Error implements LifelineErrorShape {
  override readonly name = "BackendUnavailable"
  readonly _tag = "BackendUnavailable"
  readonly code = "ERR_LIFELINE_UNAVAILABLE"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable: boolean
  /** The state of the server, `Busy` or `Unknown` (no such server). */
  readonly state: string
  /** What failed last. */
  readonly lastError: string | undefined
  /** When it is tried next, in milliseconds since the epoch. */
  readonly nextAttemptAt: number | undefined
  constructor(
    fields: Fields & {
      readonly state: string
      readonly lastError?: string | undefined
      readonly nextAttemptAt?: number | undefined
    }
  ) {
    super(fields.message, withCause(fields))
    this.backend = fields.backend
    this.generation = fields.generation
    this.state = fields.state
    this.lastError = fields.lastError
    this.nextAttemptAt = fields.nextAttemptAt
    this.retryable = !commandOnly.has(fields.state) && fields.state !== "Unknown"
  }
}

/**
 * The session was lost and there is a new one, in which the server has forgotten what it knew; the first call after that
 * fails with this when `calls.afterSessionLoss` is `fail`. The request was not sent; the next one will be.
 */
export class SessionExpired extends Error implements LifelineErrorShape {
  override readonly name = "SessionExpired"
  readonly _tag = "SessionExpired"
  readonly code = "ERR_LIFELINE_SESSION_EXPIRED"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = true
  /** The connection that has taken its place. */
  readonly newGeneration: number
  constructor(fields: Fields & { readonly newGeneration: number }) {
    super(fields.message, withCause(fields))
    this.backend = fields.backend
    this.generation = fields.generation
    this.newGeneration = fields.newGeneration
  }
}

/** The server answered with something that the protocol, or the schema asked for, does not allow. */
export class ProtocolError extends Error implements LifelineErrorShape {
  override readonly name = "ProtocolError"
  readonly _tag = "ProtocolError"
  readonly code = "ERR_LIFELINE_PROTOCOL"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = false
  readonly method: string | undefined
  constructor(fields: Fields & { readonly method?: string | undefined }) {
    super(fields.message, withCause(fields))
    this.backend = fields.backend
    this.generation = fields.generation
    this.method = fields.method
  }
}

/** One option that is not acceptable. */
export interface OptionProblem {
  /** The name of the server, or of what else has options. */
  readonly backend: string
  /** The path of the option, for example `keepalive.interval`. */
  readonly field: string
  /** What it is and what is accepted; what may be secret is not shown. */
  readonly message: string
}

/**
 * Options are not acceptable; the message says which, what they are and what is accepted. `problems` has all of them;
 * `backend` and `field` are those of the first.
 */
export class ConfigError extends Error implements LifelineErrorShape {
  override readonly name = "ConfigError"
  readonly _tag = "ConfigError"
  readonly code = "ERR_LIFELINE_CONFIG"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = false
  /** The path of the option, for example `keepalive.interval`. */
  readonly field: string
  /** Everything that is not acceptable. */
  readonly problems: ReadonlyArray<OptionProblem>
  constructor(
    fields: Fields & { readonly field: string; readonly problems?: ReadonlyArray<OptionProblem> | undefined }
  ) {
    super(fields.message, withCause(fields))
    this.backend = fields.backend
    this.generation = fields.generation
    this.field = fields.field
    const { backend, field, message } = fields
    this.problems = fields.problems ?? [{ backend, field, message }]
  }
}

const define = (error: Error, key: string, value: unknown): void => {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false })
}

/** McpError knows no cause. */
const finish = (error: McpError, name: string, { cause }: Fields): void => {
  error.name = name
  if (cause !== undefined) define(error, "cause", cause)
}

/** McpError puts its code in front of the message, which is for what servers say. */
const finishOurs = (error: McpError, name: string, fields: Fields): void => {
  finish(error, name, fields)
  define(error, "message", fields.message)
}

/** The connection ended before the request was sent and did not come back in time. An McpError, as `Connection closed` is. */
export class ConnectionLost extends McpError implements LifelineErrorShape {
  readonly _tag = "ConnectionLost"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = true
  constructor(fields: Fields) {
    super(ErrorCode.ConnectionClosed, fields.message, { fate: "notSent" })
    finishOurs(this, "ConnectionLost", fields)
    this.backend = fields.backend
    this.generation = fields.generation
  }
}

/**
 * The connection ended after the request was sent, so that it may or may not have been carried out. It was not sent again,
 * because doing it twice could do harm: find out what became of it, or give `idempotent: true`. An McpError, as `Connection
 * closed` is.
 */
export class ResultUnknown extends McpError implements LifelineErrorShape {
  readonly _tag = "ResultUnknown"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = false
  readonly method: string
  constructor(fields: Fields & { readonly method: string }) {
    super(ErrorCode.ConnectionClosed, fields.message, { fate: "unknown" })
    finishOurs(this, "ResultUnknown", fields)
    this.backend = fields.backend
    this.generation = fields.generation
    this.method = fields.method
  }
}

/** No answer came in time; the server was told that nobody waits. The session lives on. An McpError, as the SDK's is. */
export class RequestTimeout extends McpError implements LifelineErrorShape {
  readonly _tag = "RequestTimeout"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = false
  readonly method: string
  /** The time that the request was given, in milliseconds. */
  readonly timeout: number
  constructor(fields: Fields & { readonly method: string; readonly timeout: number }) {
    super(ErrorCode.RequestTimeout, fields.message, { timeout: fields.timeout })
    finishOurs(this, "RequestTimeout", fields)
    this.backend = fields.backend
    this.generation = fields.generation
    this.method = fields.method
    this.timeout = fields.timeout
  }
}

/** The server answered with a JSON-RPC error: an McpError with the server's `code` and `data`, and the official message. */
export class RemoteError extends McpError implements LifelineErrorShape {
  /** Whether something is a RemoteError; a UrlElicitationRequired is one. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof McpError && (value as { readonly _tag?: unknown })._tag === "RemoteError"
  }
  readonly _tag = "RemoteError"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = false
  readonly method: string
  constructor(fields: Fields & { readonly method: string; readonly code: number; readonly data?: unknown }) {
    super(fields.code, fields.message, fields.data)
    finish(this, "RemoteError", fields)
    this.backend = fields.backend
    this.generation = fields.generation
    this.method = fields.method
  }
}

/**
 * The server wants the user to open a URL first (-32042): a RemoteError, by `_tag` and `instanceof`, and at the same time the
 * official SDK's UrlElicitationRequiredError, whose `elicitations` say which URL.
 */
export class UrlElicitationRequired extends UrlElicitationRequiredError implements LifelineErrorShape {
  readonly _tag = "RemoteError"
  readonly backend: string
  readonly generation: number | undefined
  readonly retryable = false
  readonly method: string
  constructor(
    fields: Fields & { readonly method: string; readonly elicitations: UrlElicitationRequiredError["elicitations"] }
  ) {
    super(fields.elicitations, fields.message)
    finish(this, "RemoteError", fields)
    this.backend = fields.backend
    this.generation = fields.generation
    this.method = fields.method
  }
}

/** A RemoteError, in the class that the official SDK has for its code. */
export const remoteError = (fields: ConstructorParameters<typeof RemoteError>[0]): RemoteError => {
  const { elicitations } = Object(fields.data) as { readonly elicitations?: UrlElicitationRequired["elicitations"] }
  if (fields.code !== ErrorCode.UrlElicitationRequired || !elicitations) return new RemoteError(fields)
  const { backend, cause, generation, message, method } = fields
  return new UrlElicitationRequired({ backend, cause, generation, message, method, elicitations })
}

/** Every error of the facade, to be told apart by `_tag` or by class. */
export type LifelineError =
  | ConnectError
  | UnauthorizedError
  | BackendUnavailable
  | ConnectionLost
  | ResultUnknown
  | RequestTimeout
  | SessionExpired
  | RemoteError
  | ProtocolError
  | ConfigError
