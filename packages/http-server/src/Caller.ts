import { Predicate } from "effect"
import { createHash } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { cached } from "./Guard.js"

export interface Caller {
  /** The same in each request, and nobody else's. Empty where nothing tells callers apart. */
  readonly subject: string
  /** For people. */
  readonly name?: string | undefined
  /** Of its token (RFC 7519). */
  readonly claims: Readonly<Record<string, unknown>>
  /** When its credentials end, in milliseconds since 1970. `undefined`: unknown. */
  readonly expiresAt?: number | undefined
}

/** Where nothing tells one caller from another. */
export const anyone: Caller = { subject: "", claims: {} }

/** May not send requests, but learns whether the gateway is up. */
export const stranger: Caller = { subject: "", claims: {} }

/**
 * How long a client may listen after its credentials have expired, in milliseconds: if the stream ended while a request renews them, it would renew
 * them twice at once, which authorization servers take for theft.
 */
const listensAfterExpiry = 60_000

/** Whether a stream whose client has last used these credentials may stay open. */
export const mayListen = ({ expiresAt = Number.POSITIVE_INFINITY }: Caller): boolean =>
  Date.now() <= expiresAt + listensAfterExpiry

const noted = Symbol("Caller")

type Noted = IncomingMessage & { [noted]?: Caller }

export const note = (request: Noted, caller: Caller): void => void (request[noted] = caller)

export const of = (request: Noted): Caller => request[noted] ?? anyone

const marked = cached((subject) => createHash("sha256").update(subject).digest("base64url"))

/** Marks what belongs to a caller, without telling who it is. */
export const ownerOf = ({ subject }: Caller): string => subject === "" ? "" : marked(subject)

/** The value of a header, for another process of the same gateway. */
export const encode = (caller: Caller): string => Buffer.from(JSON.stringify(caller)).toString("base64url")

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
