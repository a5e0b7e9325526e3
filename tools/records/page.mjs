/** Generated parts of a page: what stands between `<!-- begin NAME: .. -->` and `<!-- end NAME -->`. */

/** @param {string} name */
const part = (name) => new RegExp(`(<!-- begin ${name}:[^\\n]*-->\\n)[^]*?(<!-- end ${name} -->)`)

/**
 * The page with its generated parts made anew.
 *
 * @param {string} page
 * @param {Readonly<Record<string, string>>} parts by name
 */
export const fill = (page, parts) =>
  Object.entries(parts).reduce((text, [name, content]) => {
    const place = part(name)
    if (!place.test(text)) {
      throw new Error(`the page has no part ${name}: <!-- begin ${name}: .. --> to <!-- end ${name} -->`)
    }
    return text.replace(place, (_, begin, end) => `${begin}\n${content.trim()}\n\n${end}`)
  }, page)

/** What a cell of a table may hold: one line, in which no bar begins another cell. @param {string | number} text */
const cell = (text) => String(text).replaceAll(/\s+/g, " ").replaceAll("|", "\\|").trim()

/** @param {ReadonlyArray<string>} head @param {ReadonlyArray<ReadonlyArray<string | number>>} rows */
export const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n")

/** @param {number} value */
export const number = (value) => value.toLocaleString("en-US")

/** How often each value is there, the most frequent first. @param {ReadonlyArray<string>} values @returns {Array<[string, number]>} */
export const counted = (values) => {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].toSorted(([a, left], [b, right]) => right - left || a.localeCompare(b))
}
