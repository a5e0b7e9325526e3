/**
 * The figures that pages show: `docs/benchmarks/NAME.json`, one file a benchmark, reduced from records of `pnpm bench`. The parts of a benchmark
 * may be of different runs, so each says which one it is of.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** @typedef {import("../common.mjs").Result} Result */
/** @typedef {import("../common.mjs").Row} Row */

/**
 * Where, when and how often something was measured.
 *
 * @typedef {object} Run
 * @property {string} commit
 * @property {string} date
 * @property {{ cores: number, cpu: string, memoryGB: number, platform: string }} machine
 * @property {ReadonlyArray<number> | undefined} [load] over a minute, before each round: a busy machine makes all figures worse
 * @property {Record<string, string>} versions
 * @property {number} rounds each figure is the median of these
 * @property {ReadonlyArray<string>} [notes] what the benchmark says of all that it measured in it
 */
/** @typedef {Result & { readonly run: Run }} Part */
/**
 * What is kept of a benchmark.
 *
 * @typedef {object} Measured
 * @property {string} name
 * @property {ReadonlyArray<Part>} parts
 */

/** By name. @typedef {Readonly<Record<string, Measured>>} Records */

export const root = fileURLToPath(new URL("../../..", import.meta.url))
const folder = join(root, "docs/benchmarks")

/** As in a file: each run once, and parts with the place of theirs. @param {Measured} measured */
export const packed = ({ name, parts }) => {
  const texts = [...new Set(parts.map(({ run }) => JSON.stringify(run)))]
  return {
    name,
    runs: texts.map((text) => /** @type {Run} */ (JSON.parse(text))),
    parts: parts.map(({ run, ...part }) => ({ run: texts.indexOf(JSON.stringify(run)), ...part }))
  }
}

/** @param {ReturnType<typeof packed>} file @returns {Measured} */
export const unpacked = ({ name, parts, runs }) => ({
  name,
  parts: parts.map(({ run: place, ...part }) => {
    const run = runs[place]
    if (run === undefined) throw new Error(`${name}: a part is of run ${place}, which is not there`)
    return { ...part, run }
  })
})

/** What is kept of a benchmark. @param {string} name @returns {Measured | undefined} */
const kept = (name) => {
  const file = join(folder, `${name}.json`)
  return existsSync(file) ? unpacked(JSON.parse(readFileSync(file, "utf8"))) : undefined
}

/** @returns {Records} */
export const read = () =>
  Object.fromEntries(
    readdirSync(folder).filter((file) => file.endsWith(".json")).toSorted().flatMap((file) => {
      const name = file.slice(0, -5)
      const measured = kept(name)
      return measured === undefined ? [] : [[name, measured]]
    })
  )

/** A part, as pages call it: `NAME/ID`, or `NAME` alone of a benchmark with one. @param {Records} records @param {string} name */
export const partOf = (records, name) => {
  const [record = "", ...id] = name.split("/")
  const parts = records[record]?.parts
  return id.length === 0 ? parts?.[0] : parts?.find((part) => part.id === id.join("/"))
}

/** Three digits, or all before the point. @param {number} value */
const short = (value) => Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))

/** Notes for who runs the benchmark: how long it took, and what a table of several rounds says better. */
const onlyThere = /^(?:This part took |Against the best of the others: )/

/** A note without the folders of the machine that made it. @param {string} note */
const withoutFolders = (note) => note.replaceAll(/(?<![\w:/.-])\/(?:[\w.@+-]+\/)+/g, "")

/**
 * The benchmarks of a record that `pnpm bench` wrote, as they are kept.
 *
 * @param {any} record
 * @returns {ReadonlyArray<Measured>}
 */
export const reduced = ({ benchmarks, commit, date, machine, rounds, versions }) =>
  benchmarks.map((/** @type {any} */ { figures, load, name, notes = [], parts }) => {
    if (parts.length > 1 && parts.some((/** @type {Result} */ { id }) => id === undefined)) {
      throw new Error(`${name}: its parts have no ids, since an older version measured them: measure it again`)
    }
    const run = {
      commit: commit.replace(/^([0-9a-f]{7})[0-9a-f]+/, "$1"),
      date: date.slice(0, 10),
      machine,
      ...(load === undefined ? {} : { load }),
      versions,
      rounds,
      ...(notes.length === 0 ? {} : { notes: notes.map(withoutFolders) })
    }
    return {
      name,
      parts: parts.map((/** @type {Result} */ { beaten, id, notes = [], rows, title }) => ({
        ...(id === undefined ? {} : { id }),
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
        ...(beaten === undefined ? {} : { beaten }),
        notes: notes.filter((note) => !onlyThere.test(note)).map(withoutFolders),
        run
      }))
    }
  })

/** A file's text. @param {Measured} measured */
export const printed = (measured) => `${JSON.stringify(packed(measured), null, 2)}\n`

/**
 * What was kept, with what was taken instead of it, part by part. Parts that nobody has measured again stay; new ones come after the part that was
 * measured before them.
 *
 * @param {ReadonlyArray<Part>} old
 * @param {ReadonlyArray<Part>} taken
 */
export const merged = (old, taken) => {
  const parts = [...old]
  let next = parts.length
  for (const part of taken) {
    const place = parts.findIndex(({ id }) => id === part.id)
    if (place === -1) parts.splice(next++, 0, part)
    else {
      parts[place] = part
      next = place + 1
    }
  }
  return parts
}

/** @param {string} name @param {Part} part */
const nameOf = (name, { id }) => id === undefined ? name : `${name}/${id}`

/**
 * Keeps what a record has instead of what was kept of these parts.
 *
 * @param {string} file
 * @returns the names of its parts
 */
export const take = (file) => {
  mkdirSync(folder, { recursive: true })
  return reduced(JSON.parse(readFileSync(file, "utf8"))).flatMap(({ name, parts }) => {
    writeFileSync(join(folder, `${name}.json`), printed({ name, parts: merged(kept(name)?.parts ?? [], parts) }))
    return parts.map((part) => nameOf(name, part))
  })
}
