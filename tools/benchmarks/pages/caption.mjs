/**
 * What stands below each table: where, when and how often it was measured.
 */
/** @typedef {import("./records.mjs").Part} Part */

/** @param {import("./records.mjs").Run} run */
export const whence = ({ commit, date, load, machine, quick, rounds, versions }) => {
  const most = load === undefined || load.length === 0 ? undefined : Math.max(...load)
  return [
    `${date}, commit ${commit}`,
    `${machine.cores} cores (${machine.cpu})`,
    `Node.js ${versions["node"]?.replace(/^v/, "")}`,
    rounds === 1 ? "one round" : `median of ${rounds} rounds`,
    ...(most === undefined ? [] : [`load up to ${most} before it`]),
    ...(quick ? ["a quick run: it shows that the benchmark works, and no more"] : [])
  ].join("; ")
}

/**
 * The same of several parts: once if all are of one run, and otherwise each with the names of what is of it.
 *
 * @param {ReadonlyArray<Part>} parts
 * @param {(part: Part) => string} nameOf
 */
export const sources = (parts, nameOf) => {
  const texts = [...new Set(parts.map(({ run }) => whence(run)))]
  return texts.length === 1
    ? texts
    : texts.map((text) => `${parts.filter(({ run }) => whence(run) === text).map(nameOf).join(", ")}: ${text}`)
}
