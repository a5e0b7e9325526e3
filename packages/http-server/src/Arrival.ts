import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import { type BlockList, isIP, type Socket } from "node:net"

export interface Arrival {
  /** Of the client. */
  readonly address: string
  /** What the client has asked, perhaps with a port; `undefined` if no trusted proxy says it. */
  readonly host?: string | undefined
  /** `undefined` if no trusted proxy says it. */
  readonly scheme?: "http" | "https" | undefined
  /** Whether proxies contradict each other; then none is believed. */
  readonly isContradictory?: boolean | undefined
}

const arrivals = new WeakMap<IncomingMessage, Arrival>()

export const note = (request: IncomingMessage, arrival: Arrival): void => void arrivals.set(request, arrival)

export const of = (request: Pick<IncomingMessage, "socket">): Arrival =>
  arrivals.get(request as IncomingMessage) ?? direct(request)

const peers = new WeakMap<Socket, Arrival>()

const direct = ({ socket }: Pick<IncomingMessage, "socket">): Arrival => {
  const known = peers.get(socket)
  if (known !== undefined) return known
  const found = { address: plain(socket.remoteAddress ?? "") }
  peers.set(socket, found)
  return found
}

/** A socket of IPv6 may have received it. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "")

const family = (address: string): "ipv4" | "ipv6" => isIP(address) === 4 ? "ipv4" : "ipv6"

const isTrusted = (trusted: BlockList, address: string): boolean =>
  isIP(address) !== 0 && trusted.check(address, family(address))

/** Of a node of RFC 7239, or a part of `X-Forwarded-For`. */
const addressOf = (text: string): string | undefined => {
  if (text.length > 60) return undefined
  const address = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return isIP(address) === 0 ? undefined : plain(address)
}

interface Hop {
  readonly for?: string | undefined
  readonly host?: string | undefined
  readonly proto?: string | undefined
}

/** Separators within quotes do not count. */
const split = (text: string, separator: "," | ";"): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let start = 0
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (isQuoted && character === "\\") at++
    else if (character === '"') isQuoted = !isQuoted
    else if (character === separator && !isQuoted) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)].map((part) => part.trim())
}

const unquoted = (text: string): string =>
  text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text

/** Of `Forwarded` (RFC 7239), the nearest last. */
const hopsOf = (header: string): ReadonlyArray<Hop> =>
  split(header, ",").map((element) =>
    Object.fromEntries(
      split(element, ";").map((pair) => {
        const at = pair.indexOf("=")
        return [pair.slice(0, at).trim().toLowerCase(), unquoted(pair.slice(at + 1).trim())]
      })
    )
  )

const listOf = (header: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  header === undefined ? [] : String(header).split(",").map((part) => part.trim())

/** The first address from the nearest on that is not trusted, the client's, and its hop. */
const walk = (peer: string, nodes: ReadonlyArray<string | undefined>, trusted: BlockList) => {
  let address = peer
  let at = nodes.length
  while (at > 0 && isTrusted(trusted, address)) {
    const next = addressOf(nodes[at - 1] ?? "")
    // A proxy that hides its client, or gives no address, is the last who is known.
    if (next === undefined) break
    address = next
    at--
  }
  return { address, at: Math.min(at, nodes.length - 1) }
}

const schemeOf = (text: string | undefined): Arrival["scheme"] => {
  const scheme = text?.toLowerCase()
  return scheme === "http" || scheme === "https" ? scheme : undefined
}

const through = (peer: string, headers: IncomingHttpHeaders, trusted: BlockList): Arrival => {
  const hops = headers.forwarded === undefined ? [] : hopsOf(headers.forwarded)
  const nodes = listOf(headers["x-forwarded-for"])
  const [host, proto] = [listOf(headers["x-forwarded-host"]).at(-1), listOf(headers["x-forwarded-proto"]).at(-1)]
  const standard = walk(peer, hops.map((hop) => hop.for), trusted)
  const usual = walk(peer, nodes, trusted)
  const hop = hops[standard.at]
  const isUsual = nodes.length > 0 || host !== undefined || proto !== undefined
  if (!isUsual) return { address: standard.address, host: hop?.host, scheme: schemeOf(hop?.proto) }
  // A proxy that writes one of the two may pass on what its client has written into the other one.
  if (hops.length > 0 && standard.address !== usual.address) return { address: peer, isContradictory: true }
  return { address: usual.address, host, scheme: schemeOf(proto) }
}

export const find = (request: IncomingMessage, trusted: BlockList): Arrival => {
  const arrival = direct(request)
  return isTrusted(trusted, arrival.address) ? through(arrival.address, request.headers, trusted) : arrival
}
