/**
 * The addresses of authorization servers whose keys decide who may use the gateway. Pure.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { isSecure } from "@mcp-lifeline/sign-in/addresses"

/** Why keys are not fetched from an address, as a predicate; `undefined` if they can be. */
export const problemOf = (text: string): string | undefined => {
  const url = /^https?:\/\/[^/\s]/i.test(text) ? parseUrl(text) : undefined
  if (url === undefined) return "is not an address; accepted: one that begins with https://"
  if (url.username !== "" || url.password !== "") return "has a user name or password; leave them out"
  return isSecure(url)
    ? undefined
    : "is not https, so that whoever is in between could forge tokens; only on this machine it may be http"
}
