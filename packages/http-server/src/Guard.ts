/**
 * Decides from where requests may come, by Host, Origin and Sec-Fetch-Site. Who sends them is up to `Authentication`.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { IncomingHttpHeaders } from "node:http"
import { BlockList, isIP } from "node:net"
import type { PublicUrl } from "./PublicUrl.js"
import type { Refusal } from "./Refusal.js"

export interface Names {
  /** Of a proxy in front. */
  readonly publicUrl?: PublicUrl | undefined
  /** What the client has asked, as a trusted proxy says. */
  readonly forwardedHost?: string | undefined
}

export interface Rules extends Names {
  readonly host: string
  /** Whether the request is for the status page, to which other pages may link. Default false. */
  readonly isPage?: boolean | undefined
  /** What messages call the option of the address. Default: `the option host`. */
  readonly hostOption?: string | undefined
  /** What messages call the option of the proxy's URL. Default: they do not name it. */
  readonly publicUrlOption?: string | undefined
}

export const defaultHostOption = "the option host"

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** `[::1]` becomes `::1`. */
export const unbracket = (host: string): string => host.replace(/^\[(.*)\]$/, "$1")

export const cached = <A>(find: (text: string) => A): (text: string) => A => {
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

export const isLoopback = (host: string): boolean => isLoopbackName(host)

const isLoopbackName = cached((host) => {
  const name = unbracket(host.toLowerCase())
  const version = isIP(name)
  if (version === 0) return name === "localhost" || name.endsWith(".localhost")
  return loopback.check(name, version === 4 ? "ipv4" : "ipv6")
})

const authorityForm = /^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{0,5})?$/i

const hostnameOf = cached((authority) =>
  authorityForm.test(authority) ? parseUrl(`http://${authority}`)?.hostname : undefined
)

const hostOf = (authority: string | undefined): string | undefined =>
  authority === undefined ? undefined : hostnameOf(authority)

const quoted = (name: string): string => JSON.stringify(name.slice(0, 100))

const originHost = (origin: string): string | undefined => {
  const url = parseUrl(origin)
  if (url === undefined) return undefined
  const { hash, hostname, password, pathname, search, username } = url
  const hasMore = username !== "" || password !== "" || search !== "" || hash !== "" ||
    !(pathname === "" || pathname === "/")
  return hasMore ? undefined : hostname
}

/** Programs other than browsers do not send this header. */
const isForeign = (site: string | ReadonlyArray<string> | undefined): boolean =>
  site !== undefined && site !== "same-origin" && site !== "none"

/** With more than one Host header, a proxy may go by the other one. */
export const checkRaw = (rawHeaders: ReadonlyArray<string>): Refusal | undefined => {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === "host") hosts++
  }
  return hosts > 1 ? { status: 400, message: "The request has more than one Host header" } : undefined
}

const behindProxy = ({ publicUrl, publicUrlOption: option }: Rules): string =>
  option === undefined
    ? ""
    : publicUrl === undefined
    ? `behind a proxy, start it with ${option} and the URL under which clients reach the proxy`
    : `${option} is ${publicUrl.href}`

const refuseHost = (host: string, rules: Rules): Refusal => {
  const others = `to serve other machines, start it with ${rules.hostOption ?? defaultHostOption} and a token`
  const proxy = behindProxy(rules)
  const message = `This gateway serves this machine only, as localhost or ${rules.host}, and not as ${quoted(host)}: `
    + (proxy === "" ? others : `${proxy}; ${others}`)
  return { status: 403, message }
}

const isOwn = (origin: string, from: string, host: string, { forwardedHost, publicUrl, ...rules }: Rules): boolean =>
  (isLoopback(rules.host) ? isLoopback(from) : from === host) || from === hostOf(forwardedHost) ||
  new URL(origin).origin === publicUrl?.origin

/**
 * Returns why a request is refused. On loopback, only loopback names and that of the public URL are answered, so that no website gets in through a name of
 * its own that resolves to this machine. On other addresses, a page must come from the same host or the public URL.
 */
export const check = (headers: IncomingHttpHeaders, rules: Rules): Refusal | undefined => {
  const host = hostOf(headers.host)
  const local = isLoopback(rules.host)
  if (host === undefined) return { status: 403, message: "The request has no Host header that names a host" }
  if (local && !isLoopback(host) && host !== rules.publicUrl?.hostname) return refuseHost(host, rules)
  const { origin } = headers
  if (origin !== undefined) {
    const from = originHost(origin)
    if (from === undefined || !isOwn(origin, from, host, rules)) {
      const whose = local ? "this machine" : "the same host"
      const proxy = behindProxy(rules)
      const message = `Pages of ${quoted(origin)} may not use this gateway, only those of ${whose}`
      return { status: 403, message: proxy === "" ? message : `${message}; ${proxy}` }
    }
  }
  if (rules.isPage !== true && isForeign(headers["sec-fetch-site"])) {
    return { status: 403, message: "Pages of other origins may not use this gateway, not even to read" }
  }
  return undefined
}

/** Pages may send these types to another origin without a preflight request. */
const isForm = (type: string): boolean => /^(text\/plain|multipart\/|application\/x-www-form-urlencoded)/i.test(type)

/**
 * Required to change something, with any value. No form can send it, no page of another origin without a preflight request, and no program that only
 * follows an address in a server's metadata.
 */
export const actionHeader = "x-lifeline"

/**
 * Returns why a request that changes something is refused, although `check` let it in. A page may change only its own origin, even with the token.
 * `isAuthenticated`: its credentials replace `actionHeader`.
 */
export const checkAction = (
  headers: IncomingHttpHeaders,
  isAuthenticated: boolean,
  { forwardedHost, publicUrl }: Names = {}
): Refusal | undefined => {
  const { host, origin } = headers
  if (isForeign(headers["sec-fetch-site"])) {
    return { status: 403, message: "A page may not change anything at a gateway of another origin" }
  }
  const page = origin === undefined ? undefined : parseUrl(origin)
  const isOwn = page !== undefined &&
    (page.origin === publicUrl?.origin || [host, forwardedHost].some((name) => page.host === name?.toLowerCase()))
  if (origin !== undefined && !isOwn) {
    return {
      status: 403,
      message: `Pages of ${quoted(origin)} may not change anything here, only those of the gateway`
    }
  }
  if (isForm(headers["content-type"] ?? "")) {
    return { status: 403, message: "Send it as application/json: forms may not change anything here" }
  }
  return isAuthenticated || headers[actionHeader] !== undefined
    ? undefined
    : {
      status: 403,
      message: "Send the header X-Lifeline: 1 with what changes something, so that nobody does it unawares"
    }
}
