/**
 * What a connection that could not be made says: of the login that it wants, and of what the server speaks.
 */
import type { ConnectError } from "@mcp-lifeline/core"
import { JsonRpc, type LoginFailure } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { NetworkFailure, StatusFailure } from "./HttpFailure.js"

/** Checks the tag, because a connector may come from another copy of this package. */
const isLoginFailure = (cause: unknown): cause is LoginFailure.LoginFailure => Predicate.isTagged(cause, "LoginFailure")

/**
 * The official SDK's UnauthorizedError, if the connection failed because a person has to log in; otherwise undefined.
 */
export const loginNeeded = (error: ConnectError): Error | undefined =>
  isLoginFailure(error.cause) ? error.cause.cause : undefined

/** The login that a person has to finish before the connector can connect; undefined if the failure has another reason. */
export const loginOf = ({ cause }: ConnectError): LoginFailure.LoginFailure | undefined =>
  isLoginFailure(cause) ? cause : undefined

/** The HTTP status because of which the connection failed, if the server answered with an unsuccessful one. */
export const statusOf = ({ cause }: ConnectError): number | undefined =>
  isLoginFailure(cause) || Predicate.isTagged(cause, "StatusFailure") ? (cause as StatusFailure).status : undefined

/** Whether a failure of `initialize` means that the server may speak only HTTP+SSE. */
export const mayBeOlder = (error: ConnectError): boolean =>
  error.cause instanceof StatusFailure && error.cause.error === undefined &&
  (error.cause.status === 400 || error.cause.status === 404 || error.cause.status === 405)

/**
 * Whether a failure of `server/discover` leaves open what the server speaks, so that `initialize` decides: what came says nothing of the
 * protocol, as where a question that a server does not know kills its handler. Not so where nobody was reached, where it is said when to ask
 * again, and where it is said how to log in: the credentials have been renewed where they can be.
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

/** Whether a server refuses the credentials or requires some. */
export const isRefusal = ({ reason }: ConnectError): boolean => reason === "unauthorized" || reason === "forbidden"
