import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { isSecure } from "@mcp-lifeline/sign-in/addresses"

/** As a predicate; `undefined` if keys may be fetched from the address. */
export const problemOf = (text: string): string | undefined => {
  const url = /^https?:\/\/[^/\s]/i.test(text) ? parseUrl(text) : undefined
  if (url === undefined) return "is not an address; accepted: one that begins with https://"
  if (url.username !== "" || url.password !== "") return "has a user name or password; leave them out"
  return isSecure(url)
    ? undefined
    : "is not https, so that whoever is in between could forge tokens; only on this machine it may be http"
}
