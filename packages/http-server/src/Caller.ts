/**
 * Who sends a request, as far as the listener has made sure of it.
 */
import { Predicate } from "effect"
import { createHash } from "node:crypto"
import type { IncomingMessage } from "node:http"

/** A person or a program. */
export interface Caller {
  /** The same in each of its requests, and that of nobody else. Empty where nothing tells one caller from another. */
  readonly subject: string
  /** What people call it. `undefined` where nothing tells one caller from another. */
  readonly name?: string | undefined
  /** What its token says about it (RFC 7519). */
  readonly claims: Readonly<Record<string, unknown>>
  /** From when on its credentials are not accepted any more, in milliseconds since 1970. `undefined`: nobody knows. */
  readonly expiresAt?: number | undefined
}

/** Whoever may send requests, where nothing tells one caller from another. */
export const anyone: Caller = { subject: "", claims: {} }

/** Who may not send requests, but learns whether the gateway is up: it has no credentials, or comes from where nobody may. */
export const stranger: Caller = { subject: "", claims: {} }

/**
 * How long a client that says nothing may go on listening after its credentials have expired, in milliseconds. One that says something has renewed them
 * by then: if its stream ended meanwhile, it would renew them twice at once, which authorization servers take for theft.
 */
const listensAfterExpiry = 60_000

/** Whether a stream of events or of changes, whose client has last used the credentials of this caller, may stay open. */
export const mayListen = ({ expiresAt = Number.POSITIVE_INFINITY }: Caller): boolean =>
  Date.now() <= expiresAt + listensAfterExpiry

const callers = new WeakMap<IncomingMessage, Caller>()

/** Notes who sends a request. */
export const note = (request: IncomingMessage, caller: Caller): void => void callers.set(request, caller)

/** Who sends a request. */
export const of = (request: IncomingMessage): Caller => callers.get(request) ?? anyone

/** What belongs to a caller is marked with this. It has the same length for all, and does not tell who the caller is. */
export const ownerOf = ({ subject }: Caller): string =>
  subject === "" ? "" : createHash("sha256").update(subject).digest("base64url")

/** A caller as the value of a header, for another process of the same gateway. */
export const encode = (caller: Caller): string => Buffer.from(JSON.stringify(caller)).toString("base64url")

/** A caller from such a value; `undefined` if it is none. */
export const decode = (text: string): Caller | undefined => {
  try {
    const found: unknown = JSON.parse(Buffer.from(text, "base64url").toString())
    return Predicate.isRecord(found) && Predicate.isString(found["subject"]) && Predicate.isRecord(found["claims"])
      ? found as unknown as Caller
      : undefined
  } catch {
    return undefined
  }
}
