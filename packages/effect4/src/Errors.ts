/**
 * The errors of this package: those of `@mcp-lifeline/core`, with the same tags and fields, as tagged errors of Effect 4.
 */
import type * as Facade from "@mcp-lifeline/client"
import { Data, Effect } from "effect"

/** The fields of an error of the facade. */
type Fields<E extends Error> = { readonly [K in Exclude<keyof E, keyof Error | "_tag" | "code">]: E[K] } & {
  /** One line that says what happened and what to do. */
  readonly message: string
  /** The original error, unchanged. */
  readonly cause?: unknown
}

/** Lifeline could not connect. `permanent` says that waiting does not help. */
export class ConnectError extends Data.TaggedError("ConnectError")<Fields<Facade.ConnectError>> {}

/** There was no connection in time, or there are too many calls. The server has carried out nothing. */
export class BackendUnavailable extends Data.TaggedError("BackendUnavailable")<Fields<Facade.BackendUnavailable>> {}

/** The session was lost, and `calls.afterSessionLoss` is `fail`. */
export class SessionExpired extends Data.TaggedError("SessionExpired")<Fields<Facade.SessionExpired>> {}

/** The connection ended before Lifeline sent the request, and there was no new one in time. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<Fields<Facade.ConnectionLost>> {}

/** The connection ended after Lifeline sent the request, so the server may or may not have carried it out. */
export class ResultUnknown extends Data.TaggedError("ResultUnknown")<Fields<Facade.ResultUnknown>> {}

/** The server did not answer in time. */
export class RequestTimeout extends Data.TaggedError("RequestTimeout")<Fields<Facade.RequestTimeout>> {}

/** The server answered with a JSON-RPC error, which has this `code`. */
export class RemoteError
  extends Data.TaggedError("RemoteError")<Fields<Facade.RemoteError> & { readonly code: number }>
{}

/** The server's answer does not match the protocol. */
export class ProtocolError extends Data.TaggedError("ProtocolError")<Fields<Facade.ProtocolError>> {}

/** Lifeline does not accept some options, which `problems` names. Not `ConfigError`, which is the name of one of Effect's. */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<Fields<Facade.ConfigError>> {}

/** The errors of calls. */
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

/** Every error of this package. */
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
  // As in the core: the `reason` says it.
  UnauthorizedError: ConnectError
}

const isFacadeError = (error: unknown): error is Facade.LifelineError =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string" && Object.hasOwn(classes, error._tag)

/** An error of the facade as one of this package. What is none of the facade's is a defect. */
export const fromFacade = (error: Facade.LifelineError): LifelineError => {
  const { _tag, code, name: _, ...fields } = { ...error }
  const own = { ...fields, message: error.message, ...("cause" in error ? { cause: error.cause } : {}) }
  return new classes[_tag]((_tag === "RemoteError" ? { ...own, code } : own) as never)
}

/** What a promise rejects with that is no error of the facade. */
class Fault extends Data.TaggedError("Fault")<{ readonly cause: unknown }> {}

/**
 * Awaits a promise of the facade. Interrupting it aborts the signal. What is no error of the facade is a defect.
 *
 * @internal
 */
export const attempt = <A>(f: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, LifelineError> =>
  Effect.tryPromise({
    try: f,
    catch: (error) => isFacadeError(error) ? fromFacade(error) : new Fault({ cause: error })
  }).pipe(Effect.catchTag("Fault", ({ cause }) => Effect.die(cause)))

/**
 * The same for a call or a command. A refused option of it is a mistake of the program, and so a defect.
 *
 * @internal
 */
export const ask = <A, E extends CallError | CommandError = CallError>(
  f: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, E> =>
  attempt(f).pipe(
    Effect.catch((error) => error._tag === "InvalidOptions" ? Effect.die(error) : Effect.fail(error as E))
  )
