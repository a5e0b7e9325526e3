import { Data } from "effect"

/** The server requires a login that only a person can finish, and has carried out nothing. */
export class LoginFailure extends Data.TaggedError("LoginFailure")<{
  /** 401, or 403 if the server requires more scopes. */
  readonly status: number
  /** Why the login could not be shown; empty if it was shown. */
  readonly detail: string
  /** Where a person logs in, if known. */
  readonly address?: string | undefined
  /** The official SDK's UnauthorizedError. */
  readonly cause: Error
}> {}

/** One line: what the person has to do, or why this is not known. */
export const describe = ({ address, detail, status }: LoginFailure): string => {
  const what = status === 403 ? "the server requires more scopes than the login granted" : "the server requires a login"
  if (address !== undefined && detail === "") {
    return `HTTP ${status}: ${what}: a person has to log in at ${address}; once that is done, the connection is made`
  }
  return detail === ""
    ? `HTTP ${status}: ${what}: a person has to log in at the address that the auth provider was given (redirectToAuthorization); connect again when that is done`
    : `HTTP ${status}: ${what}, and ${detail}`
}
