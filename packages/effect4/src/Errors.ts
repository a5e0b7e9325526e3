/** The errors of `@mcp-lifeline/core`, with the same tags and fields, as tagged errors of Effect 4. */
import type * as Facade from "@mcp-lifeline/client"
import { Data, Effect } from "effect"

type Fields<E extends Error> = { readonly [K in Exclude<keyof E, keyof Error | "_tag" | "code">]: E[K] } & {
  /** One line: what happened and what to do. */
  readonly message: string
  /** Unchanged. */
  readonly cause?: unknown
}

/** `permanent`: waiting does not help. */
export class ConnectError extends Data.TaggedError("ConnectError")<Fields<Facade.ConnectError>> {}

/** No connection in time, or too many calls. The server has carried out nothing. */
export class BackendUnavailable extends Data.TaggedError("BackendUnavailable")<Fields<Facade.BackendUnavailable>> {}

/** The session was lost, and `calls.afterSessionLoss` is `fail`. */
export class SessionExpired extends Data.TaggedError("SessionExpired")<Fields<Facade.SessionExpired>> {}

/** The connection ended before Lifeline sent the request, and there was no new one in time. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<Fields<Facade.ConnectionLost>> {}

/** The connection ended after the request was sent: the server may have carried it out. */
export class ResultUnknown extends Data.TaggedError("ResultUnknown")<Fields<Facade.ResultUnknown>> {}

export class RequestTimeout extends Data.TaggedError("RequestTimeout")<Fields<Facade.RequestTimeout>> {}

/** The server's JSON-RPC error, with its `code`. */
export class RemoteError
  extends Data.TaggedError("RemoteError")<Fields<Facade.RemoteError> & { readonly code: number }>
{}

/** The server's answer does not match the protocol. */
export class ProtocolError extends Data.TaggedError("ProtocolError")<Fields<Facade.ProtocolError>> {}

/** `problems` names the options. Not `ConfigError`, a name of Effect's. */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<Fields<Facade.ConfigError>> {}

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

export type LifelineError = CallError | CommandError | InvalidOptions

const classes: {
  readonly [Tag in Facade.LifelineError["_tag"]]: new(fields: never) => LifelineError
} = {
  BackendUnavailable,
  ConfigError: InvalidOptions,
  ConnectError,
  ConnectionLost,
  ProtocolError,
  RemoteError,
  RequestTimeout,
  ResultUnknown,
  SessionExpired,
  // As in the core: `reason` says it.
  UnauthorizedError: ConnectError
}

const isFacadeError = (error: unknown): error is Facade.LifelineError =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string" && Object.hasOwn(classes, error._tag)

export const fromFacade = (error: Facade.LifelineError): LifelineError => {
  const { _tag, code, name: _, ...fields } = { ...error }
  const own = { ...fields, message: error.message, ...("cause" in error ? { cause: error.cause } : {}) }
  return new classes[_tag]((_tag === "RemoteError" ? { ...own, code } : own) as never)
}

/** A rejection without an error of the facade. */
class Fault extends Data.TaggedError("Fault")<{ readonly cause: unknown }> {}

/**
 * Interrupting it aborts the signal. A foreign error is a defect.
 *
 * @internal
 */
export const attempt = <A>(f: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, LifelineError> =>
  Effect.tryPromise({
    try: f,
    catch: (error) => isFacadeError(error) ? fromFacade(error) : new Fault({ cause: error })
  }).pipe(Effect.catchTag("Fault", ({ cause }) => Effect.die(cause)))

/**
 * For a call or a command, whose refused option is a mistake of the program: a defect.
 *
 * @internal
 */
export const ask = <A, E extends CallError | CommandError = CallError>(
  f: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, E> =>
  attempt(f).pipe(
    Effect.catch((error) => error._tag === "InvalidOptions" ? Effect.die(error) : Effect.fail(error as E))
  )
