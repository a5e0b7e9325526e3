/**
 * Everything that a promise of the facade can be rejected with, except for the reason of an AbortSignal.
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
import { Lifecycle } from "@mcp-lifeline/core"
import type { ConnectReason } from "@mcp-lifeline/core/types"
import type { UnauthorizedError as SdkUnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { ErrorCode, McpError, UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js"
import { Struct } from "effect"

/** What every error has. */
export interface Fields {
  /** One line: what happened, to what, why, and what to do. */
  readonly message: string
  /** The name of the server. */
  readonly backend: string
  /** Number of the connection that was current, where there was one. */
  readonly generation?: number | undefined
  /** What caused it, as it came. */
  readonly cause?: unknown
}

/** What every error of the facade has in common. `_tag` and `code` are stable; the message is for people. */
export interface LifelineErrorShape {
  /** The name of its class. */
  readonly _tag: string
  /** The JSON-RPC code where the official Client would give one, else a text that begins with `ERR_LIFELINE_`. */
  readonly code: string | number
  /** The name of the server. */
  readonly backend: string
  /** Number of the connection that was current, where there was one. */
  readonly generation: number | undefined
  /** Nothing of this request was carried out, and trying again later may succeed. */
  readonly retryable: boolean
}

export type { ConnectReason } from "@mcp-lifeline/core/types"

/** A class of errors with a tag and fields of its own. */
type Class<Base, Tag extends string, Own> = new(
  fields: Fields & Own
) => Base & LifelineErrorShape & { readonly name: Tag; readonly _tag: Tag } & Own

const define = (error: Error, key: string, value: unknown): void => {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false })
}

/** Gives an error its name and its fields. */
const adopt = <E extends Error>(error: E, tag: string, fields: Fields): E => {
  if (fields.cause !== undefined) define(error, "cause", fields.cause)
  const own = Struct.omit(fields, "cause", "message")
  return Object.assign(error, { generation: undefined }, own, { name: tag, _tag: tag })
}

/** The base of a class of errors whose code is ours. */
const base = <Own extends object>() =>
<const Tag extends string, const Code extends string>(
  tag: Tag,
  code: Code
): Class<Error & { readonly code: Code }, Tag, Own> =>
  class extends Error {
    readonly code = code
    constructor(fields: Fields) {
      super(fields.message)
      adopt(this, tag, fields)
    }
  } as never

/** The base of a class of errors that the official Client has, too, with its code and `data`. */
const mcpBase =
  <Own extends object>() =>
  <const Tag extends string>(tag: Tag, code: ErrorCode, data: (fields: Own) => unknown): Class<McpError, Tag, Own> =>
    class extends McpError {
      constructor(fields: Fields & Own) {
        super(code, fields.message, data(fields))
        // McpError puts its code in front of the message, which is for what servers say.
        define(this, "message", fields.message)
        adopt(this, tag, fields)
      }
    } as never

interface ConnectFields {
  /** Why there is no connection. */
  readonly reason: ConnectReason
  /** Waiting does not help: the cause has to be fixed. */
  readonly permanent: boolean
  /** How long the server asked us to wait, in milliseconds. */
  readonly retryAfter?: number | undefined
  /** The HTTP status that is the reason, if one is. */
  readonly status?: number | undefined
}

/**
 * No connection could be made. `connect`, `reconnect`, `enable` and, with `require: "all"`, `connectAll` are rejected with
 * it. `reason` says why. If it is `permanent`, the cause has to be fixed (a command that does not exist, credentials that are refused);
 * otherwise the server may come back.
 */
export class ConnectError extends base<ConnectFields>()("ConnectError", "ERR_LIFELINE_CONNECT") {
  override readonly retryable = !this.permanent
}

/**
 * A person has to log in before a connection can be made. `redirectToAuthorization` of the `authProvider` was given the address. Connect again
 * when the login is done. `connect`, `supervisedTransport` and commands are rejected with this at once.
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

interface UnavailableFields {
  /** The state of the server, `Busy` or `Unknown` (no such server). */
  readonly state: string
  /** What failed last. */
  readonly lastError?: string | undefined
  /** When it is tried next, in milliseconds since the epoch. */
  readonly nextAttemptAt?: number | undefined
}

/**
 * No connection came in the time that the call could wait, or waiting is pointless, or too many calls are in flight or waiting (`state` is
 * then `Busy`). Nothing was carried out.
 */
export class BackendUnavailable extends base<UnavailableFields>()("BackendUnavailable", "ERR_LIFELINE_UNAVAILABLE") {
  override readonly retryable = this.state !== "Unknown" &&
    !Lifecycle.isPointless({ _tag: this.state } as Lifecycle.State)
}

interface SessionFields {
  /** The connection that has taken its place. */
  readonly newGeneration: number
}

/**
 * The session was lost, and the server remembers nothing of it in the new one. With `calls.afterSessionLoss: "fail"` the first call after that
 * fails with this error. Its request was not sent; the next one will be.
 */
export class SessionExpired extends base<SessionFields>()("SessionExpired", "ERR_LIFELINE_SESSION_EXPIRED") {
  override readonly retryable = true
}

interface RequestFields {
  /** The method of the protocol that was asked for, for example `tools/call`. */
  readonly method: string
}

/** The server answered with something that the protocol, or the schema asked for, does not allow. */
export class ProtocolError
  extends base<{ readonly method?: string | undefined }>()("ProtocolError", "ERR_LIFELINE_PROTOCOL")
{
  override readonly retryable = false
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

interface ConfigFields {
  /** The path of the option, for example `keepalive.interval`. */
  readonly field: string
}

/**
 * Options are not accepted; the message says which, what they are and what is accepted. `problems` has all of them;
 * `backend` and `field` are those of the first.
 */
export class ConfigError extends base<ConfigFields>()("ConfigError", "ERR_LIFELINE_CONFIG") {
  override readonly retryable = false
  /** Everything that is not acceptable. */
  readonly problems: ReadonlyArray<OptionProblem>
  constructor(fields: Fields & ConfigFields & { readonly problems?: ReadonlyArray<OptionProblem> | undefined }) {
    super(fields)
    const { backend, field, message } = fields
    this.problems = fields.problems ?? [{ backend, field, message }]
  }
}

/** The connection ended before the request was sent, and none came in time. An McpError, like `Connection closed`. */
export class ConnectionLost
  extends mcpBase<{}>()("ConnectionLost", ErrorCode.ConnectionClosed, () => ({ fate: "notSent" }))
{
  override readonly retryable = true
}

/**
 * The connection ended after the request was sent, so it may or may not have been carried out. It was not sent again, because doing it
 * twice could do harm. Find out whether it was carried out, or give `idempotent: true`. An McpError, like `Connection closed`.
 */
export class ResultUnknown
  extends mcpBase<RequestFields>()("ResultUnknown", ErrorCode.ConnectionClosed, () => ({ fate: "unknown" }))
{
  override readonly retryable = false
}

interface TimeoutFields extends RequestFields {
  /** The time that the request was given, in milliseconds. */
  readonly timeout: number
}

/** No answer came in time. The server was told that nobody waits, and the session lives on. An McpError, like the SDK's own. */
export class RequestTimeout
  extends mcpBase<TimeoutFields>()("RequestTimeout", ErrorCode.RequestTimeout, ({ timeout }) => ({ timeout }))
{
  override readonly retryable = false
}

interface RemoteFields extends RequestFields {
  // The JSON-RPC code that the server gave.
  readonly code: number
  /** The data that the server gave. */
  readonly data?: unknown
}

const RemoteBase: Class<McpError, "RemoteError", RemoteFields> = class extends McpError {
  constructor(fields: Fields & RemoteFields) {
    super(fields.code, fields.message, fields.data)
    adopt(this, "RemoteError", fields)
  }
} as never

/** The server answered with a JSON-RPC error: an McpError with the server's `code` and `data`, and the official message. */
export class RemoteError extends RemoteBase {
  /** Whether something is a RemoteError; the official SDK's UrlElicitationRequiredError that a server answered with is one. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof McpError && (value as { readonly _tag?: unknown })._tag === "RemoteError"
  }
  override readonly retryable = false
}

/**
 * A RemoteError, in the class that the official SDK has for its code: where the user has to open a URL first (-32042), it is also
 * an UrlElicitationRequiredError, whose `elicitations` say which.
 */
export const remoteError = (fields: Fields & RemoteFields): RemoteError => {
  const { elicitations } = Object(fields.data) as {
    readonly elicitations?: UrlElicitationRequiredError["elicitations"]
  }
  if (fields.code !== ErrorCode.UrlElicitationRequired || !elicitations) return new RemoteError(fields)
  const error = new UrlElicitationRequiredError(elicitations, fields.message)
  return adopt(
    error,
    "RemoteError",
    { ...fields, data: error.data, retryable: false } as Fields
  ) as unknown as RemoteError
}

/** Every error of the facade. Tell them apart by `_tag` or by class. */
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
