/** What a report of `life.mjs` has to say. */

/** How much the heap may grow. */
const limit = 0.05

/** @typedef {{ resources: Record<string, number>, heap: number }} Held */
/**
 * @typedef {object} Report
 * @property {string} transport
 * @property {string} what
 * @property {number} count
 * @property {number} growth
 * @property {number} seconds
 * @property {number} generations
 * @property {Held} before
 * @property {Held} after
 * @property {Record<string, number>} outside
 * @property {Record<string, number>} closed
 * @property {ReadonlyArray<string>} warnings
 */

/**
 * What is wrong, or nothing.
 *
 * @param {Report} report
 * @returns {Array<string>}
 */
export const complaints = ({ after, before, closed, count, generations, growth, outside, warnings, what }) => {
  /** @type {Array<string>} */
  const wrong = []
  const differ = (/** @type {string} */ when, /** @type {unknown} */ was, /** @type {unknown} */ is) => {
    if (JSON.stringify(was) !== JSON.stringify(is)) {
      wrong.push(`${when}: ${JSON.stringify(was)} -> ${JSON.stringify(is)}`)
    }
  }
  differ("held", before.resources, after.resources)
  differ("held once closed", outside, closed)
  differ("warnings", [], warnings)
  if (growth > limit) wrong.push(`heap: ${before.heap} -> ${after.heap} bytes, ${(growth * 100).toFixed(1)}%`)
  // A reconnect may take two where the server restarts under it, never fewer.
  if (what === "calls" ? generations !== 0 : generations < count) wrong.push(`${generations} generations`)
  return wrong
}
