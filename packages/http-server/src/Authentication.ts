import { Redacted } from "effect"
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { anyone, type Caller } from "./Caller.js"
import type { Refusal } from "./Refusal.js"

export interface Authentication {
  readonly isNeeded: boolean
  /** At once where that is known. Must not throw; a promise that rejects is an internal failure, and the request is refused. */
  readonly check: (request: IncomingMessage) => Caller | Refusal | Promise<Caller | Refusal>
}

export const isRefusal = (answer: Caller | Refusal): answer is Refusal => "status" in answer

export const none: Authentication = { isNeeded: false, check: () => anyone }

/** The scheme in any case; empty if there is none. */
export const bearer = (authorization: string | undefined): string =>
  /^Bearer +(\S.*)$/i.exec(authorization ?? "")?.[1] ?? ""

const digest = (value: string) => createHash("sha256").update(value).digest()

/** In constant time. */
export const isSame = (sent: string, token: Redacted.Redacted): boolean =>
  timingSafeEqual(digest(sent), digest(Redacted.value(token)))

/** RFC 6750, section 3. */
export const unauthorized = (message: string): Refusal => ({
  status: 401,
  message,
  headers: { "WWW-Authenticate": "Bearer" }
})

export const noToken: Refusal = unauthorized(
  "This gateway needs a token: send the header Authorization: Bearer <token>"
)

/** All tokens stand for the same caller, so that one can be replaced while clients use the old one. A function gives those that are accepted now. */
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
 * Asks in this order until one lets the caller in. Otherwise answers with the refusal of the one that knows the credentials (any but a 401), or else of
 * the last.
 */
export const oneOf = (all: readonly [Authentication, ...ReadonlyArray<Authentication>]): Authentication => ({
  isNeeded: all.every(({ isNeeded }) => isNeeded),
  check: (request) => firstOf(all, request, unauthorized(""))
})
