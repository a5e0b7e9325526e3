/**
 * A login that a person has to finish before there can be a connection.
 */
import { Data } from "effect"

/** The server wants a login that only a person can finish. Nothing was carried out. */
export class LoginFailure extends Data.TaggedError("LoginFailure")<{
  /** 401, or 403 where more rights are wanted. */
  readonly status: number
  /** Why the login could not be shown; empty where it was. */
  readonly detail: string
  /** Where a person logs in, if that is known. */
  readonly address?: string | undefined
  /** The official SDK's UnauthorizedError. */
  readonly cause: Error
}> {}

/** One line on what the person has to do, or why that is not known. */
export const describe = ({ address, detail, status }: LoginFailure): string => {
  const what = status === 403 ? "the server wants more rights than the login gave" : "the server wants a login"
  if (address !== undefined && detail === "") {
    return `HTTP ${status}: ${what}: a person has to log in at ${address}; once that is done, the connection is made`
  }
  return detail === ""
    ? `HTTP ${status}: ${what}: a person has to log in at the address that the auth provider was given (redirectToAuthorization); connect again when that is done`
    : `HTTP ${status}: ${what}, and ${detail}`
}
