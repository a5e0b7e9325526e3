/** With credentials of its own, a server gets no sign-in. */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

/** `certain`: an Authorization header, or userinfo. `possible`: another header, which may be a key. */
export const of = (url: string, headers: ReadonlyArray<string>): "certain" | "possible" | "none" => {
  const parsed = parseUrl(url)
  if (parsed === undefined || parsed.username + parsed.password !== "") return "certain"
  if (headers.some((name) => name.toLowerCase() === "authorization")) return "certain"
  return headers.length > 0 ? "possible" : "none"
}
