/**
 * Which credentials a configuration has for a server at a URL: with some of its own, there is no sign-in.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

/** `certain`: an Authorization header, or userinfo. `possible`: another header, each of which may be a key. */
export const of = (url: string, headers: ReadonlyArray<string>): "certain" | "possible" | "none" => {
  const parsed = parseUrl(url)
  if (parsed === undefined || parsed.username + parsed.password !== "") return "certain"
  if (headers.some((name) => name.toLowerCase() === "authorization")) return "certain"
  return headers.length > 0 ? "possible" : "none"
}
