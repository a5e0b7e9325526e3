/**
 * The figures that pages show: `docs/benchmarks/NAME.json`, one file a benchmark, reduced from a record of `pnpm bench`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** @typedef {import("../common.mjs").Result} Result */
/** @typedef {import("../common.mjs").Row} Row */

/**
 * What a benchmark measured, and where and when.
 *
 * @typedef {object} Measured
 * @property {string} name
 * @property {string} commit
 * @property {string} date
 * @property {{ cores: number, cpu: string, memoryGB: number, platform: string }} machine
 * @property {ReadonlyArray<number> | undefined} [load] over a minute, before each round: a busy machine makes all figures worse
 * @property {Record<string, string>} versions
 * @property {boolean} quick a run of a few seconds, which only shows that it works
 * @property {number} rounds
 * @property {ReadonlyArray<Result>} parts each figure is the median of the rounds
 */

/** By name. @typedef {Readonly<Record<string, Measured>>} Records */

export const root = fileURLToPath(new URL("../..", import.meta.url))
const folder = join(root, "docs/benchmarks")

/** @returns {Records} */
export const read = () =>
  Object.fromEntries(
    readdirSync(folder).filter((file) => file.endsWith(".json")).toSorted().map((file) => [
      file.slice(0, -5),
      JSON.parse(readFileSync(join(folder, file), "utf8"))
    ])
  )

/** Three digits, or all before the point. @param {number} value */
const short = (value) => Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))

/** Notes for who runs the benchmark, not for who reads the page. */
const onlyThere = /^This part took /

/** A note without the folders of the machine that made it. @param {string} note */
const withoutFolders = (note) => note.replaceAll(/(?<![\w:/.-])\/(?:[\w.@+-]+\/)+/g, "")

/**
 * The benchmarks of a record that `pnpm bench` wrote, as they are kept.
 *
 * @param {any} record
 * @returns {ReadonlyArray<Measured>}
 */
export const reduced = ({ benchmarks, commit, date, machine, quick, rounds, versions }) =>
  benchmarks.map((/** @type {any} */ { figures, load, name, parts }) => ({
    name,
    commit: commit.replace(/^([0-9a-f]{7})[0-9a-f]+/, "$1"),
    date: date.slice(0, 10),
    machine,
    ...(load === undefined ? {} : { load }),
    versions,
    quick,
    rounds,
    parts: parts.map((/** @type {Result} */ { notes = [], rows, series, title }) => ({
      title,
      rows: rows.map((row) => ({
        name: row.name,
        figures: Object.fromEntries(
          // JSON has null for what was not a number: it was not measured.
          Object.entries(row.figures).filter(([, value]) => value !== null).map(([column, value]) => {
            const median = figures.find((/** @type {any} */ figure) =>
              (parts.length === 1 || figure.part === title) && figure.row === row.name && figure.column === column
            )?.median ?? value
            return [column, typeof median === "number" ? short(median) : median]
          })
        )
      })),
      notes: notes.filter((note) => !onlyThere.test(note)).map(withoutFolders),
      ...(series === undefined ? {} : { series })
    }))
  }))

/** Long lists of short values on one line each: a recording has hundreds of calls. @param {unknown} value */
const printed = (value) =>
  JSON.stringify(value, null, 2).replaceAll(
    /\[\s+(-?\d+),\s+(\d+),\s+"(\w+)",\s+"(\w+)"\s+\]/g,
    '[$1, $2, "$3", "$4"]'
  )

/** What is kept of a benchmark. @param {string} name @returns {Measured | undefined} */
const kept = (name) => {
  const file = join(folder, `${name}.json`)
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined
}

/** Whether figures may replace those that are kept: a quick run replaces no measurement. @param {Measured} taken @param {Measured | undefined} old */
export const replaces = (taken, old) => !taken.quick || old === undefined || old.quick

/**
 * Keeps what a record has instead of what was kept of these benchmarks.
 *
 * @param {string} file
 * @returns {{ readonly taken: ReadonlyArray<string>, readonly refused: ReadonlyArray<string> }} the names of benchmarks
 */
export const take = (file) => {
  const all = reduced(JSON.parse(readFileSync(file, "utf8")))
  const taken = all.filter((one) => replaces(one, kept(one.name)))
  mkdirSync(folder, { recursive: true })
  for (const measured of taken) writeFileSync(join(folder, `${measured.name}.json`), `${printed(measured)}\n`)
  return {
    taken: taken.map(({ name }) => name),
    refused: all.filter((one) => !taken.includes(one)).map(({ name }) => name)
  }
}
