/**
 * Which addresses may be trusted with secrets: pure.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

/** Whether an address may be trusted with secrets: https, or this machine. */
export const isSecure = (url: URL): boolean =>
  url.protocol === "https:" ||
  (url.protocol === "http:" &&
    (/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname) || url.hostname.endsWith(".localhost")))

/** Whether a text is an address to which secrets can be sent. */
export const isAddress = (text: string): boolean => {
  const url = parseUrl(text)
  return url !== undefined && isSecure(url)
}

/** Whether a text may be the address of a client id metadata document: https, with a path. */
export const isDocument = (text: string): boolean => {
  const url = parseUrl(text)
  return url?.protocol === "https:" && url.pathname !== "/"
}

/** What all spellings of an issuer have in common: a slash at the end is often left out. */
export const issuerKey = (issuer: string): string => issuer.replace(/\/$/, "")

/** Whether these are two spellings of one issuer. */
export const isSameIssuer = (a: string, b: string): boolean => issuerKey(a) === issuerKey(b)
