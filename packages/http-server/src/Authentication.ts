/**
 * Finds out who sends a request, from its credentials.
 */
import { Redacted } from "effect"
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { anyone, type Caller } from "./Caller.js"
import type { Refusal } from "./Refusal.js"

/** A way to find out who sends a request. */
export interface Authentication {
  /** Whether requests need credentials. */
  readonly isNeeded: boolean
  /**
   * Says who sends a request, or why it is refused: at once where that is known. Must not throw; a promise that rejects is an internal failure, and
   * the request is refused.
   */
  readonly check: (request: IncomingMessage) => Caller | Refusal | Promise<Caller | Refusal>
}

/** Whether the answer of `check` is a refusal. */
export const isRefusal = (answer: Caller | Refusal): answer is Refusal => "status" in answer

/** Lets everybody in. */
export const none: Authentication = { isNeeded: false, check: () => anyone }

/** The token in a header `Authorization`, with the scheme in any case; empty if there is none. */
export const bearer = (authorization: string | undefined): string =>
  /^Bearer +(\S.*)$/i.exec(authorization ?? "")?.[1] ?? ""

const digest = (value: string) => createHash("sha256").update(value).digest()

/** Compares two secrets in a time that does not tell where they differ. */
export const isSame = (sent: string, token: Redacted.Redacted): boolean =>
  timingSafeEqual(digest(sent), digest(Redacted.value(token)))

/** The answer to a request without credentials, or with wrong ones (RFC 6750, section 3). */
export const unauthorized = (message: string): Refusal => ({
  status: 401,
  message,
  headers: { "WWW-Authenticate": "Bearer" }
})

/** The answer to a request without a token. */
export const noToken: Refusal = unauthorized(
  "This gateway needs a token: send the header Authorization: Bearer <token>"
)

/**
 * Lets in whoever has one of the tokens. All of them stand for the same caller, so that a token can be replaced while clients still use the old one.
 * A function says which are accepted now.
 */
export const tokens = (
  all: ReadonlyArray<Redacted.Redacted> | (() => ReadonlyArray<Redacted.Redacted>)
): Authentication => ({
  isNeeded: true,
  check: ({ headers }) => {
    const sent = bearer(headers.authorization)
    const accepted = typeof all === "function" ? all() : all
    if (accepted.some((token) => isSame(sent, token))) return anyone
    return sent === "" ? noToken : unauthorized("The bearer token is not that of this gateway")
  }
})

/** The answer of the first that lets the caller in. Otherwise a refusal that is about more than missing credentials, or else that of the last. */
const firstOf = (
  [one, ...others]: ReadonlyArray<Authentication>,
  request: IncomingMessage,
  before: Refusal
): Caller | Refusal | Promise<Caller | Refusal> => {
  if (one === undefined) return before
  const decide = (answer: Caller | Refusal): Caller | Refusal | Promise<Caller | Refusal> =>
    isRefusal(answer) ? firstOf(others, request, before.status === 401 ? answer : before) : answer
  const answer = one.check(request)
  return answer instanceof Promise ? answer.then(decide) : decide(answer)
}

/**
 * Asks several in this order, until one lets the caller in. A caller that none lets in gets the refusal of the one that knows its credentials (any but a
 * 401), or else that of the last.
 */
export const oneOf = (all: readonly [Authentication, ...ReadonlyArray<Authentication>]): Authentication => ({
  isNeeded: all.every(({ isNeeded }) => isNeeded),
  check: (request) => firstOf(all, request, unauthorized(""))
})
