/**
 * Figures that were measured several times: what they are, how far they spread, and whether those of two commits differ by more than that.
 */

/** @typedef {import("./common.mjs").Result} Result */

/**
 * A figure of a benchmark, with what each round measured.
 *
 * @typedef {{ part: string, row: string, column: string, values: ReadonlyArray<number> }} Figure
 */

/** @typedef {{ median: number, least: number, most: number, percent: number }} Spread */

/** What a figure is called. @param {Figure} figure */
export const nameOf = ({ column, part, row }) => [part, row, column].filter((text) => text !== "").join(" / ")

/**
 * The figures of one benchmark. Each round is the parts that it printed. A figure that some round has not measured is left out.
 *
 * @param {ReadonlyArray<ReadonlyArray<Result>>} rounds
 * @returns {ReadonlyArray<Figure>}
 */
export const figures = (rounds) => {
  /** @type {Map<string, { part: string, row: string, column: string, values: Array<number> }>} */
  const found = new Map()
  for (const parts of rounds) {
    for (const [i, { rows, title }] of parts.entries()) {
      for (const row of rows) {
        for (const [column, value] of Object.entries(row.figures)) {
          if (typeof value !== "number") continue
          // The title says how large the run is; where there are several parts, it tells them apart.
          const part = parts.length > 1 ? title : ""
          const key = JSON.stringify([i, row.name, column])
          const figure = found.get(key) ?? { part, row: row.name, column, values: [] }
          figure.values.push(value)
          found.set(key, figure)
        }
      }
    }
  }
  return [...found.values()].filter(({ values }) => values.length === rounds.length)
}

/**
 * The median, the extremes, and half of what is between them in percent of the median.
 *
 * @param {ReadonlyArray<number>} values
 * @returns {Spread}
 */
export const spread = (values) => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (/** @type {number} */ place) => sorted[place] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2
  const [least, most] = [at(0), at(sorted.length - 1)]
  return { median, least, most, percent: median === 0 ? 0 : (most - least) / 2 / Math.abs(median) * 100 }
}

const same = /** @type {const} */ ("same")
const better = /** @type {const} */ ("better")
const worse = /** @type {const} */ ("worse")

/** Columns and rows of which more is better; of all others, less is. */
export const moreIsBetter = /\/s\b|\ba second\b/

/**
 * Two commits, by what each measured in the same rounds.
 *
 * A figure differs if every round of one side is beyond every round of the other. If nothing had changed, chance would do that to one figure
 * in 462 with six rounds a side, and to one in 35 with four.
 *
 * @typedef {object} Difference
 * @property {Figure} figure as measured on the new side
 * @property {Spread} before
 * @property {Spread} after
 * @property {number} percent how much more the median is now
 * @property {"better" | "worse" | "same"} verdict
 */

/**
 * @param {ReadonlyArray<Figure>} before
 * @param {ReadonlyArray<Figure>} after
 * @returns {{ readonly differences: ReadonlyArray<Difference>, readonly onlyNow: ReadonlyArray<string>, readonly onlyBefore: ReadonlyArray<string> }}
 */
export const compare = (before, after) => {
  const old = new Map(before.map((figure) => [nameOf(figure), figure]))
  const now = new Set(after.map(nameOf))
  const differences = after.flatMap((figure) => {
    const was = old.get(nameOf(figure))
    if (was === undefined) return []
    const [a, b] = [spread(was.values), spread(figure.values)]
    const isMore = b.least > a.most
    const isLess = b.most < a.least
    const isBetter = moreIsBetter.test(`${figure.row} ${figure.column}`) ? isMore : isLess
    return [{
      figure,
      before: a,
      after: b,
      percent: a.median === 0 ? 0 : (b.median - a.median) / Math.abs(a.median) * 100,
      verdict: !isMore && !isLess ? same : isBetter ? better : worse
    }]
  })
  return {
    differences,
    onlyNow: [...now].filter((name) => !old.has(name)),
    onlyBefore: [...old.keys()].filter((name) => !now.has(name))
  }
}

/** How likely it is that chance alone sets two sides apart that measured so many rounds each: one in so many. @param {number} rounds */
export const oneIn = (rounds) => {
  let ways = 1
  for (let i = 1; i <= rounds; i++) ways = ways * (rounds + i) / i
  return Math.round(ways) / 2
}
