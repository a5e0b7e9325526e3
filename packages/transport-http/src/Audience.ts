/**
 * For whom tokens are asked (RFC 8707): pure.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

/** Where an origin says what it is (RFC 9728). */
export const wellKnown = "/.well-known/oauth-protected-resource"

const withoutSlash = (text: string): string => text.replace(/\/$/, "")

/** Whether a URL is that of a server, or of a folder above it. */
const covers = (url: URL, server: URL): boolean =>
  url.origin === server.origin && `${withoutSlash(server.pathname)}/`.startsWith(`${withoutSlash(url.pathname)}/`)

/**
 * The audience for a server whose metadata, at an address, `named` one: never more than the server, so that no server gets tokens that are
 * good at its neighbours. What is named counts where it is the server's own URL, but for a slash; or the whole origin, where the origin
 * itself says so, at its own well-known address (RFC 9728, 3.3). Other metadata that names the origin or a folder above the server is
 * common, and only imprecise: then tokens are asked for the server's URL. Undefined for metadata of something else.
 */
export const of = (server: URL, named: string, metadata: URL | undefined): string | undefined => {
  const url = parseUrl(named)
  if (url === undefined) return undefined
  if (withoutSlash(url.href) === withoutSlash(server.href)) return named
  if (!covers(url, server)) return undefined
  return url.href === `${server.origin}/` && metadata?.href === server.origin + wellKnown ? named : server.href
}
