/**
 * Who may ask: the checks on Host, Origin, Sec-Fetch-Site and the bearer token, before anything else is looked at (G6).
 */
import { Redacted } from "effect"
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import { BlockList, isIP } from "node:net"

/** What the gateway is bound to, and the token that it asks for. */
export interface Rules {
  readonly host: string
  readonly token: Redacted.Redacted | undefined
  /** Whether what is asked for is the status page or one of its files, to which other pages may link. Default false. */
  readonly isPage?: boolean | undefined
}

/** Why a request is not let in. */
export interface Refusal {
  readonly status: 400 | 401 | 403
  readonly message: string
}

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** A host without the brackets that an address of version 6 has in a URL. */
export const unbracket = (host: string): string => host.replace(/^\[(.*)\]$/, "$1")

/** Remembers what was found of the texts that come with every request: a bounded number of them. */
const remembering = <A>(find: (text: string) => A): (text: string) => A => {
  const known = new Map<string, A>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const fresh = find(text)
    if (known.size >= 100) known.clear()
    known.set(text, fresh)
    return fresh
  }
}

/** Whether a host name or address leads to this machine only. */
export const isLoopback = (host: string): boolean => isLoopbackName(host)

const isLoopbackName = remembering((host) => {
  const name = unbracket(host.toLowerCase())
  const version = isIP(name)
  if (version === 0) return name === "localhost" || name.endsWith(".localhost")
  return loopback.check(name, version === 4 ? "ipv4" : "ipv6")
})

/** A name or an address, and perhaps a port: nothing else that a URL may have before or after it. */
const authorityForm = /^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{0,5})?$/i

const hostnameOf = remembering((authority) =>
  authorityForm.test(authority) && URL.canParse(`http://${authority}`)
    ? new URL(`http://${authority}`).hostname
    : undefined
)

const hostOf = (authority: string | undefined): string | undefined =>
  authority === undefined ? undefined : hostnameOf(authority)

/** A name from outside, not too long. */
const shown = (name: string): string => JSON.stringify(name.slice(0, 100))

const digest = (value: string) => createHash("sha256").update(value).digest()

/** The token of a header `Authorization`, however the scheme is written; empty where there is none. */
export const bearer = (authorization: string | undefined): string =>
  /^Bearer +(\S.*)$/i.exec(authorization ?? "")?.[1] ?? ""

/** The host of an Origin; `undefined` where it is none. */
const originHost = (origin: string): string | undefined => {
  if (!URL.canParse(origin)) return undefined
  const { hash, hostname, password, pathname, search, username } = new URL(origin)
  const hasMore = username !== "" || password !== "" || search !== "" || hash !== "" ||
    !(pathname === "" || pathname === "/")
  return hasMore ? undefined : hostname
}

/** Whether a browser says that a page of another origin has the request sent. Programs that are no browser say nothing. */
const isForeign = (site: string | ReadonlyArray<string> | undefined): boolean =>
  site !== undefined && site !== "same-origin" && site !== "none"

/** Why a request must be refused whose headers, as they came, have more than one Host: others may go by the other one. */
export const checkRaw = (rawHeaders: ReadonlyArray<string>): Refusal | undefined => {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host")
  return hosts.length > 1 ? { status: 400, message: "The request has more than one Host header" } : undefined
}

/**
 * Why a request must be refused, or `undefined`. Bound to loopback, only loopback names are answered, so that no website can
 * reach the gateway through a name of its own that leads here; bound wider, the token decides, and a browser's page must
 * come from the same host.
 */
export const check = (headers: IncomingHttpHeaders, rules: Rules): Refusal | undefined => {
  const host = hostOf(headers.host)
  const local = isLoopback(rules.host)
  if (host === undefined) return { status: 403, message: "The request has no Host header that names a host" }
  if (local && !isLoopback(host)) {
    const message = `This gateway serves this machine only, as localhost or ${rules.host}, and not as ${shown(host)}: `
      + "to serve other machines, start it with --host and a token"
    return { status: 403, message }
  }
  const { origin } = headers
  if (origin !== undefined) {
    const from = originHost(origin)
    if (from === undefined || !(local ? isLoopback(from) : from === host)) {
      const whose = local ? "this machine" : "the same host"
      return { status: 403, message: `Pages of ${shown(origin)} may not use this gateway, only those of ${whose}` }
    }
  }
  if (rules.isPage !== true && isForeign(headers["sec-fetch-site"])) {
    return { status: 403, message: "Pages of other origins may not use this gateway, not even to read" }
  }
  const { token } = rules
  if (!token) return undefined
  const given = bearer(headers.authorization)
  if (timingSafeEqual(digest(given), digest(Redacted.value(token)))) return undefined
  const message = given === ""
    ? "This gateway needs a token: send the header Authorization: Bearer <token>"
    : "The bearer token is not that of this gateway"
  return { status: 401, message }
}

/** The type of what a page may send to another origin without asking first; what is to change something comes in none of them. */
const isForm = (type: string): boolean => /^(text\/plain|multipart\/|application\/x-www-form-urlencoded)/i.test(type)

/**
 * What a request that changes something carries: a header that no form can have, no page of another origin without being asked for it, and
 * no request that somebody makes only because a server's metadata names the address. Its value does not matter.
 */
export const actionHeader = "x-lifeline"

/**
 * Why a request that changes something must be refused, though it was let in, or `undefined`: a page may send it only to its own
 * origin, whatever it knows. Programs that are no browser send neither Origin nor Sec-Fetch-Site. `hasToken`: it came with the gateway's
 * token, which shows as well as the header that it is meant for the gateway.
 */
export const checkAction = (headers: IncomingHttpHeaders, hasToken: boolean): Refusal | undefined => {
  const { host, origin } = headers
  if (isForeign(headers["sec-fetch-site"])) {
    return { status: 403, message: "A page may not change anything at a gateway of another origin" }
  }
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase())) {
    return { status: 403, message: `Pages of ${shown(origin)} may not change anything here, only those of the gateway` }
  }
  if (isForm(headers["content-type"] ?? "")) {
    return { status: 403, message: "Send it as application/json: forms may not change anything here" }
  }
  return hasToken || headers[actionHeader] !== undefined
    ? undefined
    : {
      status: 403,
      message: "Send the header X-Lifeline: 1 with what changes something, so that nobody does it unawares"
    }
}
