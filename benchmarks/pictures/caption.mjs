/**
 * What stands below each picture and table: where, when and how often it was measured.
 */
/** @typedef {import("./records.mjs").Measured} Measured */

/** @param {Measured} measured */
export const whence = ({ commit, date, load, machine, quick, rounds, versions }) => {
  const most = load === undefined || load.length === 0 ? undefined : Math.max(...load)
  return [
    `${date}, commit ${commit}`,
    `${machine.cores} cores (${machine.cpu})`,
    `Node.js ${versions["node"]?.replace(/^v/, "")}`,
    ...(rounds > 1 ? [`median of ${rounds} rounds`] : []),
    ...(most === undefined ? [] : [`load up to ${most} before it`]),
    ...(quick ? ["a quick run: it shows that the benchmark works, and no more"] : [])
  ].join("; ")
}
