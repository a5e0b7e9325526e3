/** How often a server is asked about a task. */

/** In milliseconds; `otherwise`: where the server does not say. */
const interval = { least: 100, most: 60_000, otherwise: 1000 }

/** In milliseconds. `given`: what the server says. */
export const pollInterval = (given: unknown): number => {
  const { least, most, otherwise } = interval
  return Math.min(most, Math.max(least, typeof given === "number" && given >= 0 ? given : otherwise))
}
