/**
 * What a connection that could not be made says: of the login that it wants, and of what the server speaks.
 */
import type { ConnectError } from "@mcp-lifeline/core"
import type { LoginFailure } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { mayWantSession, StatusFailure } from "./HttpFailure.js"

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

/** Who answers one of these stands in front of the server, which is not there. */
const ofGateways: ReadonlySet<number> = new Set([502, 503, 504])

/**
 * Whether a refusal of `server/discover` leaves open what the server speaks. Servers with sessions refuse a request without one with 401,
 * 403 or 500 as well: `initialize` decides. One that says how to log in means the credentials, which have been renewed where they can be.
 */
export const isOpen = ({ cause }: ConnectError): boolean => {
  if (!(cause instanceof StatusFailure) || cause.retryAfter !== undefined) return false
  return cause.status === 401 || cause.status === 403
    ? !cause.renewable || mayWantSession(cause)
    : cause.status >= 500 && !ofGateways.has(cause.status)
}

/** Whether a server of the older HTTP+SSE refuses the credentials or requires some, which shows that it is the right server. */
export const isRefusal = ({ reason }: ConnectError): boolean => reason === "unauthorized" || reason === "forbidden"
