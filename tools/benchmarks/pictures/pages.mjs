/**
 * What is made of the figures that are kept: the pictures, and the parts of pages between `<!-- table:NAME -->` and `<!-- /table -->`, and
 * between `<!-- picture:NAME -->` and `<!-- /picture -->`; `tables` and `matrix` are those of several parts of a benchmark.
 */
import { readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { drawings, pictures } from "./all.mjs"
import { draw, themes, width } from "./chart.mjs"
import { matrix } from "./matrix.mjs"
import { root } from "./records.mjs"
import { allTables, table } from "./tables.mjs"

/** @typedef {import("./records.mjs").Records} Records */

/** The pages that have such parts. */
export const pages = [
  "README.md",
  "docs/benchmarks.md",
  "docs/benchmarks/recovery.md",
  "docs/comparison.md",
  "docs/compatibility.md",
  "docs/operations/sizing.md"
]
/** Where the pictures are. */
export const images = "docs/images/benchmarks"

/** @param {string} text */
const attribute = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;")

/**
 * A page with the parts filled in.
 *
 * @param {string} page its path
 * @param {string} text
 * @param {Records} records
 * @param {ReturnType<typeof drawings>} all
 */
const filled = (page, text, records, all) =>
  text.replaceAll(
    /(<!-- (tables?|matrix|picture):(\S+) -->\n).*?(<!-- \/\2 -->)/gs,
    (_, start, kind, name, end) => {
      if (kind === "matrix") return `${start}\n${matrix(name, records)}\n\n${end}`
      if (kind === "tables") return `${start}\n${allTables(name, records)}\n\n${end}`
      if (kind === "table") return `${start}\n${table(name, records)}\n\n${end}`
      if (!(name in pictures)) throw new Error(`${page}: there is no picture ${name}`)
      const drawing = all[name]
      if (drawing === undefined) return `${start}\n*Not drawn yet.*\n\n${end}`
      const file = posix.join(posix.relative(posix.dirname(page), images), name)
      return `${start}
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="${file}-dark.svg">
  <img alt="${attribute(drawing.alt)}" src="${file}-light.svg" width="${width}">
</picture>

${end}`
    }
  )

/** Every file that is made of the figures, by its path. @param {Records} records @returns {Readonly<Record<string, string>>} */
export const made = (records) => {
  const all = drawings(records)
  return Object.fromEntries([
    ...Object.entries(all).flatMap(([name, drawing]) =>
      /** @type {const} */ (["light", "dark"]).map((theme) => [
        `${images}/${name}-${theme}.svg`,
        draw(drawing, themes[theme])
      ])
    ),
    ...pages.map((page) => [page, filled(page, readFileSync(join(root, page), "utf8"), records, all)])
  ])
}
