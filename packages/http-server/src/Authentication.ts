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

/** Somebody with tokens, of which each lets them in. */
export interface Holder {
  readonly caller: Caller
  readonly tokens: ReadonlyArray<Redacted.Redacted>
}

const digest = (value: string) => createHash("sha256").update(value).digest()

const digests = new WeakMap<Redacted.Redacted, Buffer>()

const digestOf = (token: Redacted.Redacted): Buffer => {
  const known = digests.get(token) ?? digest(Redacted.value(token))
  digests.set(token, known)
  return known
}

/** In a time that does not tell how close it is to a token. */
const holdersOf = (sent: string, all: ReadonlyArray<Holder>): ReadonlyArray<Holder> => {
  const wanted = digest(sent)
  return all.filter(({ tokens }) => tokens.filter((token) => timingSafeEqual(wanted, digestOf(token))).length > 0)
}

/** RFC 6750, section 3. */
export const unauthorized = (message: string): Refusal => ({
  status: 401,
  message,
  headers: { "WWW-Authenticate": "Bearer" }
})

export const noToken: Refusal = unauthorized(
  "This gateway needs a token: send the header Authorization: Bearer <token>"
)

const notOurs = (holders: number): string =>
  `The bearer token is not that of this gateway${holders > 1 ? ", nor of one of its clients" : ""}`

const ofSeveral =
  "The bearer token is that of several clients of this gateway, so that nobody is let in with it: its operator has to give each its own"

/** `all`: who holds which tokens now. A token that several hold, as after a mistake in a file, stands for none of them. */
export const byToken = (all: () => ReadonlyArray<Holder>): Authentication => ({
  isNeeded: true,
  check: ({ headers }) => {
    const sent = bearer(headers.authorization)
    if (sent === "") return noToken
    const holders = all()
    const [holder, ...others] = holdersOf(sent, holders)
    if (holder === undefined) return unauthorized(notOurs(holders.length))
    return others.length > 0 ? unauthorized(ofSeveral) : holder.caller
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
