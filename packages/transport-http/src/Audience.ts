import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

/** Where an origin describes itself (RFC 9728). */
export const wellKnown = "/.well-known/oauth-protected-resource"

const withoutSlash = (text: string): string => text.replace(/\/$/, "")

/** Whether a URL is the server's, or a folder above it. */
const covers = (url: URL, server: URL): boolean =>
  url.origin === server.origin && `${withoutSlash(server.pathname)}/`.startsWith(`${withoutSlash(url.pathname)}/`)

/**
 * The audience (RFC 8707) of tokens for a server whose metadata, found at the address `metadata`, `named` one. Never wider than the
 * server, so that its neighbours cannot use the tokens: the named URL if it is the server's own, but for a slash, or the origin, if the
 * origin's own well-known address says so (RFC 9728, 3.3); the server's URL if other metadata names the origin or a folder above the
 * server. Undefined if the metadata is of something else.
 */
export const of = (server: URL, named: string, metadata: URL | undefined): string | undefined => {
  const url = parseUrl(named)
  if (url === undefined) return undefined
  if (withoutSlash(url.href) === withoutSlash(server.href)) return named
  if (!covers(url, server)) return undefined
  return url.href === `${server.origin}/` && metadata?.href === server.origin + wellKnown ? named : server.href
}
