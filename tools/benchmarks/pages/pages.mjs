/**
 * What is made of the figures that are kept: the parts of pages between `<!-- table:NAME -->` and `<!-- /table -->`; `tables` and `matrix` are those of
 * several parts of a benchmark.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { matrix } from "./matrix.mjs"
import { root } from "./records.mjs"
import { allTables, table } from "./tables.mjs"

/** @typedef {import("./records.mjs").Records} Records */

/** The pages that have such parts. */
export const pages = [
  "docs/benchmarks.md",
  "docs/benchmarks/recovery.md",
  "docs/comparison.md",
  "docs/compatibility.md",
  "docs/operations/sizing.md"
]

/** A page with the parts filled in. @param {string} text @param {Records} records */
const filled = (text, records) =>
  text.replaceAll(
    /(<!-- (tables?|matrix):(\S+) -->\n).*?(<!-- \/\2 -->)/gs,
    (_, start, kind, name, end) => {
      const made = kind === "matrix" ? matrix : kind === "tables" ? allTables : table
      return `${start}\n${made(name, records)}\n\n${end}`
    }
  )

/** Every page that is made of the figures, by its path. @param {Records} records @returns {Readonly<Record<string, string>>} */
export const made = (records) =>
  Object.fromEntries(pages.map((page) => [page, filled(readFileSync(join(root, page), "utf8"), records)]))
