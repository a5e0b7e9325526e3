import type { ConnectError } from "@mcp-lifeline/core"
import { JsonRpc, type LoginFailure } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { NetworkFailure, StatusFailure } from "./HttpFailure.js"

/** By tag: a connector may come from another copy of this package. */
const isLoginFailure = (cause: unknown): cause is LoginFailure.LoginFailure => Predicate.isTagged(cause, "LoginFailure")

/** The official SDK's UnauthorizedError if a person has to log in; otherwise undefined. */
export const loginNeeded = (error: ConnectError): Error | undefined =>
  isLoginFailure(error.cause) ? error.cause.cause : undefined

/** The login that a person has to finish; undefined if the failure has another reason. */
export const loginOf = ({ cause }: ConnectError): LoginFailure.LoginFailure | undefined =>
  isLoginFailure(cause) ? cause : undefined

/** The HTTP status of the failure; undefined if there was none. */
export const statusOf = ({ cause }: ConnectError): number | undefined =>
  isLoginFailure(cause) || Predicate.isTagged(cause, "StatusFailure") ? (cause as StatusFailure).status : undefined

/** Whether a server that refuses `initialize` so may speak only HTTP+SSE. */
export const mayBeOlder = (error: ConnectError): boolean =>
  error.cause instanceof StatusFailure && error.cause.error === undefined &&
  (error.cause.status === 400 || error.cause.status === 404 || error.cause.status === 405)

/**
 * Whether a failure of `server/discover` leaves the era open, so that `initialize` decides: for example, an unknown request may kill a
 * handler. Not if nobody was reached, or if the answer says when to ask again or how to log in.
 */
export const isOpen = ({ cause, reason }: ConnectError): boolean => {
  if (cause instanceof NetworkFailure) return cause.sent && (cause.kind === "reset" || cause.kind === "slow")
  if (!(cause instanceof StatusFailure)) return reason === "closed" || reason === "protocol"
  if (cause.retryAfter !== undefined) return false
  return cause.status === 401 || cause.status === 403
    ? !cause.renewable || cause.challenged !== true
    : reason === "server"
}

/** Whether a refusal of `initialize` shows that the server does not know it, or speaks other revisions. */
export const hasNoSessions = ({ cause, reason }: ConnectError): boolean =>
  reason === "incompatible" || (cause instanceof StatusFailure && cause.error?.code === JsonRpc.methodNotFound)

export const isRefusal = ({ reason }: ConnectError): boolean => reason === "unauthorized" || reason === "forbidden"
