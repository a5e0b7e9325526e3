/**
 * Patterns of tools of several servers, as `<server>__<tool>`. What stands before `__` is about the name of the server and what stands after it about that
 * of the tool, each for itself: `git__*` has nothing of a server `git__hub`, although the joined names begin with it.
 */
import { ToolPattern } from "@mcp-lifeline/core/internal"

const joint = "__"

type Reading = readonly [server: string, tool: string]

const placesOf = (text: string, part: string): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) found.push(at)
  return found
}

/** The readings in which one of its `__` stands between server and tool. */
const atJoints = (pattern: string): ReadonlyArray<Reading> =>
  placesOf(pattern, joint).map((at) => [pattern.slice(0, at), pattern.slice(at + joint.length)])

/** The readings in which one of its stars stands for the end of the server, what is between, and the beginning of the tool. */
const atStars = (pattern: string): ReadonlyArray<Reading> =>
  placesOf(pattern, "*").map((at) => [pattern.slice(0, at + 1), pattern.slice(at)])

const fits = (readings: ReadonlyArray<Reading>, server: string, tool: string): boolean =>
  readings.some(([servers, tools]) => ToolPattern.matches(servers, server) && ToolPattern.matches(tools, tool))

const hasJoint = (pattern: string): boolean => pattern.includes(joint)

/** How a pattern of what is allowed can be read. Without `__`, its first star is about both. */
const allowing = (pattern: string): ReadonlyArray<Reading> =>
  hasJoint(pattern) ? atJoints(pattern) : atStars(pattern).slice(0, 1)

/**
 * Whether a pattern allows a tool of a server. `servers`: the names of all. A pattern that begins with the names of two of them is about the longer one.
 */
export const allows = (pattern: string, server: string, tool: string, servers: ReadonlyArray<string>): boolean =>
  fits(allowing(pattern), server, tool)
  && !servers.some((other) => other.length > server.length && pattern.startsWith(`${other}${joint}`))

/** Whether a pattern hides a tool of a server: in any way in which it can be read. */
export const hides = (pattern: string, server: string, tool: string): boolean => {
  const stars = hasJoint(pattern) ? pattern.slice(0, pattern.indexOf(joint)) : pattern
  return fits([...atJoints(pattern), ...atStars(pattern).slice(0, placesOf(stars, "*").length)], server, tool)
}

/** Whether a pattern can be about tools of a server. */
export const isAbout = (pattern: string, server: string): boolean =>
  [...atJoints(pattern), ...atStars(pattern)].some(([servers]) => ToolPattern.matches(servers, server))
