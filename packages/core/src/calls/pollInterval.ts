/**
 * How often a server is asked about a task.
 */

/** The time between two questions, in milliseconds: the shortest, the longest, and where the server does not say. */
const interval = { least: 100, most: 60_000, otherwise: 1000 }

/** The time until the next question, in milliseconds. `given`: what the server says. */
export const pollInterval = (given: unknown): number => {
  const { least, most, otherwise } = interval
  return Math.min(most, Math.max(least, typeof given === "number" && given >= 0 ? given : otherwise))
}
