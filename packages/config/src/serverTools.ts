/**
 * Patterns of tools as `<server>__<tool>`. Both sides are matched each for itself: `git__*` has nothing of a server `git__hub`.
 */
import { Tools } from "@mcp-lifeline/core/options"

const joint = "__"

type Reading = readonly [server: string, tool: string]

const placesOf = (text: string, part: string): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) found.push(at)
  return found
}

/** One of its `__` stands between server and tool. */
const atJoints = (pattern: string): ReadonlyArray<Reading> =>
  placesOf(pattern, joint).map((at) => [pattern.slice(0, at), pattern.slice(at + joint.length)])

/** One of its stars is the end of the server, what is between, and the beginning of the tool. */
const atStars = (pattern: string): ReadonlyArray<Reading> =>
  placesOf(pattern, "*").map((at) => [pattern.slice(0, at + 1), pattern.slice(at)])

const fits = (readings: ReadonlyArray<Reading>, server: string, tool: string): boolean =>
  readings.some(([servers, tools]) => Tools.matches(servers, server) && Tools.matches(tools, tool))

const hasJoint = (pattern: string): boolean => pattern.includes(joint)

/** Without `__`, its first star is about both. */
const allowing = (pattern: string): ReadonlyArray<Reading> =>
  hasJoint(pattern) ? atJoints(pattern) : atStars(pattern).slice(0, 1)

/** `servers`: all names. A pattern that begins with two of them is about the longer one. */
export const allows = (pattern: string, server: string, tool: string, servers: ReadonlyArray<string>): boolean =>
  fits(allowing(pattern), server, tool)
  && !servers.some((other) => other.length > server.length && pattern.startsWith(`${other}${joint}`))

/** In any way in which the pattern can be read. */
export const hides = (pattern: string, server: string, tool: string): boolean => {
  const stars = hasJoint(pattern) ? pattern.slice(0, pattern.indexOf(joint)) : pattern
  return fits([...atJoints(pattern), ...atStars(pattern).slice(0, placesOf(stars, "*").length)], server, tool)
}

export const isAbout = (pattern: string, server: string): boolean =>
  [...atJoints(pattern), ...atStars(pattern)].some(([servers]) => Tools.matches(servers, server))
