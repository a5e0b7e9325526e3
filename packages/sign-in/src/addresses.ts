import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

/** Whether secrets may be sent there: https, or this machine. */
export const isSecure = (url: URL): boolean =>
  url.protocol === "https:" ||
  (url.protocol === "http:" &&
    (/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname) || url.hostname.endsWith(".localhost")))

/** The same for a text. */
export const isAddress = (text: string): boolean => {
  const url = parseUrl(text)
  return url !== undefined && isSecure(url)
}

/** Of a client id metadata document: https, with a path. */
export const isDocument = (text: string): boolean => {
  const url = parseUrl(text)
  return url?.protocol === "https:" && url.pathname !== "/"
}

/** A slash at the end is often left out. */
export const issuerKey = (issuer: string): string => issuer.replace(/\/$/, "")

export const isSameIssuer = (a: string, b: string): boolean => issuerKey(a) === issuerKey(b)
