/**
 * The errors with which promises of this package are rejected. (A promise can also be rejected with the reason of an AbortSignal.)
 *
 * | class | code | retryable | when |
 * |---|---|---|---|
 * | ConnectError | ERR_LIFELINE_CONNECT | unless permanent | Lifeline could not connect |
 * | UnauthorizedError | ERR_LIFELINE_UNAUTHORIZED | yes | a person has to log in first |
 * | BackendUnavailable | ERR_LIFELINE_UNAVAILABLE | unless only a command helps | there was no connection in time, or there are too many calls |
 * | ConnectionLost | -32000 | yes | the connection ended before the request was sent |
 * | ResultUnknown | -32000 | no | the connection ended after the request was sent |
 * | RequestTimeout | -32001 | no | the server did not answer in time |
 * | SessionExpired | ERR_LIFELINE_SESSION_EXPIRED | yes | the session is new, and `calls.afterSessionLoss` is `fail` |
 * | RemoteError | the server's | no | the server answered with a JSON-RPC error |
 * | ProtocolError | ERR_LIFELINE_PROTOCOL | no | the answer does not match the protocol |
 * | ConfigError | ERR_LIFELINE_CONFIG | no | Lifeline does not accept an option |
 *
 * Where the official Client rejects with an McpError, this package does, too, with the same code: RemoteError, RequestTimeout,
 * ConnectionLost and ResultUnknown extend McpError. UnauthorizedError is an instance of the official class of that name.
 */
import { Lifecycle } from "@mcp-lifeline/core/internal"
import type { ConnectReason } from "@mcp-lifeline/core/types"
import type { UnauthorizedError as SdkUnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { ErrorCode, McpError, UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js"
import { Struct } from "effect"

/** The members of every error. */
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

/** The members that all errors of this package have in common. `_tag` and `code` are stable; the message is for people. */
export interface LifelineErrorShape {
  /** The name of its class. */
  readonly _tag: string
  /** The JSON-RPC code if the official Client would give one, otherwise a string that begins with `ERR_LIFELINE_`. */
  readonly code: string | number
  /** The name of the server. */
  readonly backend: string
  /** Number of the connection that was current, where there was one. */
  readonly generation: number | undefined
  /** Whether trying again later may succeed. If so, the server has carried out nothing of this request. */
  readonly retryable: boolean
}

export type { ConnectReason } from "@mcp-lifeline/core/types"

/** A class of errors with a tag and fields of its own. */
type Class<Base, Tag extends string, Retryable extends boolean, Own> = new(
  fields: Fields & Own
) => Base & LifelineErrorShape & { readonly name: Tag; readonly _tag: Tag; readonly retryable: Retryable } & Own

const define = (error: Error, key: string, value: unknown): void => {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false })
}

/** Sets the fields and the tag of an error. The fields may come from another error. */
const adopt = <E extends Error>(
  error: E,
  fields: Fields,
  its: { readonly _tag: string; readonly code?: string | number; readonly retryable: boolean }
): E => {
  if (fields.cause !== undefined) define(error, "cause", fields.cause)
  return Object.assign(error, { generation: undefined }, Struct.omit(fields, "cause", "message"), its, {
    name: its._tag
  })
}

/** The base class of errors with this code. For a number, it is McpError, as in the official Client. */
type Parent<Code> = Code extends string ? Error & { readonly code: Code } : McpError

/** The base of a class of errors. `data` is that of an McpError. */
const base =
  <Own extends object>() =>
  <const Tag extends string, const Code extends string | ErrorCode, const Retryable extends boolean>(
    _tag: Tag,
    code: Code,
    retryable: Retryable | ((fields: Own) => Retryable),
    data?: (fields: Own) => unknown
  ): Class<Parent<Code>, Tag, Retryable, Own> => {
    const Parent = (typeof code === "string" ? Error : McpError) as new(...args: ReadonlyArray<unknown>) => Error
    return class extends Parent {
      constructor(fields: Fields & Own) {
        super(...typeof code === "string" ? [fields.message] : [code, fields.message, data?.(fields)])
        // McpError puts its code before the message, which is meant for errors of servers.
        define(this, "message", fields.message)
        adopt(this, fields, { _tag, code, retryable: typeof retryable === "function" ? retryable(fields) : retryable })
      }
    } as never
  }

interface ConnectFields {
  /** Why there is no connection. */
  readonly reason: ConnectReason
  /** Whether waiting does not help, because somebody has to fix the cause. */
  readonly permanent: boolean
  /** How long the server asked us to wait, in milliseconds. */
  readonly retryAfter?: number | undefined
  /** The HTTP status, if it is the reason. */
  readonly status?: number | undefined
}

/**
 * Lifeline could not connect. `connect`, `reconnect`, `enable` and, with `require: "all"`, `connectAll` are rejected with this error.
 * `reason` says why. If it is `permanent`, somebody has to fix the cause (a command that does not exist, credentials that the server
 * refuses); otherwise the server may come back.
 */
export class ConnectError
  extends base<ConnectFields>()("ConnectError", "ERR_LIFELINE_CONNECT", ({ permanent }) => !permanent)
{}

/**
 * A person has to log in before Lifeline can connect. Lifeline has called `redirectToAuthorization` of the `authProvider` with the address.
 * Connect again when the person has logged in. `connect`, `supervisedTransport` and commands are rejected with this at once.
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
  /** 401, or 403 if the server requires more scopes than the login granted. */
  readonly status: number | undefined
}

interface UnavailableFields {
  /** The state of the server, `Busy` or `Unknown` (no such server). */
  readonly state: string
  /** The last failure. */
  readonly lastError?: string | undefined
  /** When the next attempt is due, in milliseconds since the epoch. */
  readonly nextAttemptAt?: number | undefined
}

/**
 * There was no connection within the time that the call could wait, or waiting is pointless, or too many calls are in flight or waiting
 * (then `state` is `Busy`). The server has carried out nothing.
 */
export class BackendUnavailable extends base<UnavailableFields>()(
  "BackendUnavailable",
  "ERR_LIFELINE_UNAVAILABLE",
  ({ state }) => state === "Busy" || (state !== "Unknown" && !Lifecycle.isPointless({ _tag: state } as Lifecycle.State))
) {}

interface SessionFields {
  /** The number of the new connection. */
  readonly newGeneration: number
}

/**
 * The session was lost, and the new session does not have its state. With `calls.afterSessionLoss: "fail"` the first call after that
 * fails with this error. Lifeline has not sent its request; it will send the next one.
 */
export class SessionExpired extends base<SessionFields>()("SessionExpired", "ERR_LIFELINE_SESSION_EXPIRED", true) {}

interface RequestFields {
  /** The method of the request, for example `tools/call`. */
  readonly method: string
}

/** The server's answer does not match the protocol, or the schema that you gave. */
export class ProtocolError
  extends base<{ readonly method?: string | undefined }>()("ProtocolError", "ERR_LIFELINE_PROTOCOL", false)
{}

/** One option that Lifeline does not accept. */
export interface OptionProblem {
  /** The name of the server, or of what else has options. */
  readonly backend: string
  /** The path of the option, for example `keepalive.interval`. */
  readonly field: string
  /** What the value is and what is accepted. Values that may be secret are not shown. */
  readonly message: string
}

interface ConfigFields {
  /** The path of the option, for example `keepalive.interval`. */
  readonly field: string
}

/**
 * Lifeline does not accept some options. The message names them, their values and what is accepted. `problems` has all of them; `backend`
 * and `field` are those of the first.
 */
export class ConfigError extends base<ConfigFields>()("ConfigError", "ERR_LIFELINE_CONFIG", false) {
  /** All options that Lifeline does not accept. */
  readonly problems: ReadonlyArray<OptionProblem>
  constructor(fields: Fields & ConfigFields & { readonly problems?: ReadonlyArray<OptionProblem> | undefined }) {
    super(fields)
    const { backend, field, message } = fields
    this.problems = fields.problems ?? [{ backend, field, message }]
  }
}

/** The connection ended before Lifeline sent the request, and there was no new one in time. An McpError, like `Connection closed`. */
export class ConnectionLost
  extends base<{}>()("ConnectionLost", ErrorCode.ConnectionClosed, true, () => ({ fate: "notSent" }))
{}

/**
 * The connection ended after Lifeline sent the request, so the server may or may not have carried it out. Lifeline did not send it again,
 * because doing it twice could do harm. Find out whether the server carried it out, or give `idempotent: true`. An McpError, like
 * `Connection closed`.
 */
export class ResultUnknown
  extends base<RequestFields>()("ResultUnknown", ErrorCode.ConnectionClosed, false, () => ({ fate: "unknown" }))
{}

interface TimeoutFields extends RequestFields {
  /** The timeout of the request, in milliseconds. */
  readonly timeout: number
}

/**
 * The server did not answer in time. Lifeline has cancelled the request on the server, and the session stays. An McpError, like the
 * SDK's own.
 */
export class RequestTimeout
  extends base<TimeoutFields>()("RequestTimeout", ErrorCode.RequestTimeout, false, ({ timeout }) => ({ timeout }))
{}

interface RemoteFields extends RequestFields {
  // The JSON-RPC code that the server gave.
  readonly code: number
  /** The `data` of the server's error. */
  readonly data?: unknown
}

const remote = { _tag: "RemoteError", retryable: false } as const

const RemoteBase: Class<McpError, "RemoteError", false, RemoteFields> = class extends McpError {
  constructor(fields: Fields & RemoteFields) {
    super(fields.code, fields.message, fields.data)
    adopt(this, fields, remote)
  }
} as never

/** The server answered with a JSON-RPC error: an McpError with the server's `code` and `data`, and the official message. */
export class RemoteError extends RemoteBase {
  /** Whether a value is a RemoteError. The official SDK's UrlElicitationRequiredError is one if a server answered with it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof McpError && (value as { readonly _tag?: unknown })._tag === "RemoteError"
  }
}

/**
 * A RemoteError in the class that the official SDK has for its code. If the user has to open a URL first (-32042), it is also an
 * UrlElicitationRequiredError, whose `elicitations` have the URLs.
 */
export const remoteError = (fields: Fields & RemoteFields): RemoteError => {
  const { elicitations } = Object(fields.data) as {
    readonly elicitations?: UrlElicitationRequiredError["elicitations"]
  }
  if (fields.code !== ErrorCode.UrlElicitationRequired || !elicitations) return new RemoteError(fields)
  const error = new UrlElicitationRequiredError(elicitations, fields.message)
  const own: Fields & RemoteFields = { ...fields, data: error.data }
  return adopt(error, own, remote) as unknown as RemoteError
}

/** Every error of this package. Distinguish them by `_tag` or by class. */
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
