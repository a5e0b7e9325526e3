import type * as Core from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Cause, Option } from "effect"
import * as Errors from "../Errors.js"

type CoreError = Core.CallError | Core.CommandError | Core.InvalidOptions

const isCoreError = (error: unknown): error is CoreError =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string" && Object.hasOwn(make, error._tag)

const named = (backend: string, message: string): string =>
  backend === "" || message.startsWith(`${backend}: `) ? message : `${backend}: ${message}`

/** SDK v2's `instanceof` compares the class names under this symbol, not prototypes. */
const brands = Symbol.for("mcp.sdk.errorBrands")

/** If a person has to log in, an instance of the official UnauthorizedError. */
export const fromConnectError = (error: Core.ConnectError): Errors.ConnectError | Errors.UnauthorizedError => {
  const { backend, cause, generation, permanent, reason, retryAfter } = error
  const message = named(backend, error.message)
  const login = HttpConnector.loginNeeded(error)
  const status = HttpConnector.statusOf(error)
  if (login === undefined) {
    return new Errors.ConnectError({ backend, cause, generation, message, permanent, reason, retryAfter, status })
  }
  // The cause has the official class, which only programs with OAuth load.
  const official = new (login.constructor as new(message: string) => Error)(message)
  Object.defineProperty(official, brands, { value: new Set(["mcp.UnauthorizedError"]), configurable: true })
  return Object.assign(
    official,
    {
      name: "UnauthorizedError",
      _tag: "UnauthorizedError",
      code: "ERR_LIFELINE_UNAUTHORIZED",
      backend,
      generation,
      reason: "unauthorized",
      permanent: false,
      retryable: true,
      retryAfter: undefined,
      status,
      cause
    } as const
  )
}

const make: {
  readonly [Tag in CoreError["_tag"]]: (error: Extract<CoreError, { _tag: Tag }>) => Errors.LifelineError
} = {
  ConnectError: fromConnectError,
  SessionExpired: (error) => new Errors.SessionExpired(error),
  ConnectionLost: (error) => new Errors.ConnectionLost(error),
  BackendUnavailable: (error) => new Errors.BackendUnavailable(error),
  RequestTimeout: (error) => new Errors.RequestTimeout(error),
  ResultUnknown: (error) => new Errors.ResultUnknown(error),
  RemoteError: Errors.remoteError,
  ProtocolError: (error) => new Errors.ProtocolError(error),
  InvalidOptions: (error) => new Errors.ConfigError(error)
}

export const fromError = (error: CoreError): Errors.LifelineError => make[error._tag](error as never)

/** An Error, never a FiberFailure. */
export const fromCause = (cause: Cause.Cause<unknown>): unknown => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure !== undefined) return isCoreError(failure) ? fromError(failure) : failure
  if (Cause.isInterruptedOnly(cause)) return closed("")
  return Cause.squash(cause)
}

export const closed = (backend: string): Errors.BackendUnavailable =>
  new Errors.BackendUnavailable({
    backend,
    state: "Closed",
    message: `${backend === "" ? "the client" : backend} is closed, because close() was called: connect again`
  })
