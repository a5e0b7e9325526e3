/**
 * The core's errors as the facade's.
 */
import type * as Core from "@mcp-lifeline/core"
import { Cause, Option } from "effect"
import * as Errors from "../Errors.js"

type CoreError = Core.CallError | Core.CommandError | Core.ConfigError

const isCoreError = (error: unknown): error is CoreError =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string" && Object.hasOwn(make, error._tag)

const make: {
  readonly [Tag in CoreError["_tag"]]: (error: Extract<CoreError, { _tag: Tag }>) => Errors.LifelineError
} = {
  ConnectError: (error) => new Errors.ConnectError(error),
  SessionExpired: (error) => new Errors.SessionExpired(error),
  ConnectionLost: (error) => new Errors.ConnectionLost(error),
  BackendUnavailable: (error) => new Errors.BackendUnavailable(error),
  RequestTimeout: (error) => new Errors.RequestTimeout(error),
  ResultUnknown: (error) => new Errors.ResultUnknown(error),
  RemoteError: (error) => new Errors.RemoteError(error),
  ProtocolError: (error) => new Errors.ProtocolError(error),
  ConfigError: (error) => new Errors.ConfigError(error)
}

/** A core error as the facade's class of the same name. */
export const fromError = (error: CoreError): Errors.LifelineError => make[error._tag](error as never)

/** What a promise is rejected with: an Error, never a FiberFailure. */
export const fromCause = (cause: Cause.Cause<unknown>): unknown => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure !== undefined) return isCoreError(failure) ? fromError(failure) : failure
  if (Cause.isInterruptedOnly(cause)) return closed("")
  return Cause.squash(cause)
}

/** What a call on a closed client is rejected with. */
export const closed = (backend: string): Errors.BackendUnavailable =>
  new Errors.BackendUnavailable({
    backend,
    state: "Closed",
    message: `${backend === "" ? "it" : backend} is closed: connect anew`
  })
