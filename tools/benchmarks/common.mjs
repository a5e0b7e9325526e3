/**
 * What the benchmarks share: options, the machine, medians, a table and JSON.
 */
import { spawn } from "node:child_process"
import { cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"

/**
 * One line of a result.
 *
 * @typedef {{ name: string, figures: Record<string, number | string>, bound?: string | undefined, within?: boolean | undefined }} Row
 */

/**
 * The numbers of the command line, with their defaults, its choices, of which the first is the default, texts, and whether JSON is wanted.
 *
 * @template {Record<string, number>} D
 * @template {Record<string, ReadonlyArray<string>>} [C={}]
 * @template {string} [T=never]
 * @param {D} defaults
 * @param {C} [choices]
 * @param {ReadonlyArray<T>} [texts]
 * @returns {{ [K in keyof D]: number } & { [K in keyof C]: string } & { [K in T]: string | undefined } & { json: boolean }}
 */
export const options = (defaults, choices, texts = []) => {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      ...Object.fromEntries(
        [...Object.keys({ ...defaults, ...choices }), ...texts].map((
          name
        ) => [name, { type: /** @type {const} */ ("string") }])
      )
    }
  })
  const numbers = Object.entries(defaults).map(([name, otherwise]) => {
    const given = /** @type {Record<string, unknown>} */ (values)[name]
    const value = given === undefined ? otherwise : Number(given)
    if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} must be a number above 0`)
    return [name, value]
  })
  const chosen = Object.entries(choices ?? {}).map(([name, allowed]) => {
    const value = /** @type {Record<string, unknown>} */ (values)[name] ?? allowed[0]
    if (!allowed.includes(String(value))) throw new Error(`--${name} must be one of ${allowed.join(", ")}`)
    return [name, value]
  })
  return /** @type {any} */ ({ ...values, ...Object.fromEntries([...numbers, ...chosen]) })
}

/**
 * The value below which a part of them is; the nearest that was measured.
 *
 * @param {ReadonlyArray<number>} values
 * @param {number} part
 */
export const quantile = (values, part) => {
  const sorted = Float64Array.from(values).toSorted()
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}

/** @param {ReadonlyArray<number>} values */
export const median = (values) => quantile(values, 0.5)

/** @param {number} millis */
export const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis))

/** The published reference server at a URL. @param {string} program */
export const atUrl = async (program) => {
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  const child = spawn(process.execPath, [program, "streamableHttp"], {
    env: { ...process.env, PORT: String(port) },
    stdio: "ignore"
  })
  const url = `http://127.0.0.1:${port}/mcp`
  while (!await fetch(url).then(() => true, () => false)) await sleep(50)
  return { url, end: () => child.kill() }
}

/**
 * A number as people read it.
 *
 * @param {number} value
 * @param {number} digits
 */
export const round = (value, digits = 1) => Number(value.toFixed(digits))

/** The machine, and how busy it was: figures of a busy one are worth less. */
const machine = () => ({
  cores: cpus().length,
  cpu: cpus()[0]?.model ?? "unknown",
  node: process.version,
  load: loadavg().map((value) => round(value, 2))
})

/** Taken when the program starts, so that the benchmark's own load is not in it. */
const atStart = machine()

/** What the figures are worth, in one line each. @param {Row} row */
const verdict = ({ bound, within }) => bound === undefined ? "" : `${bound}: ${within === true ? "yes" : "NO"}`

/**
 * A part of what a benchmark measured. A benchmark with several gives each an `id`, by which pages find it, whatever its title says of sizes.
 *
 * @typedef {object} Result
 * @property {string} [id]
 * @property {string} title
 * @property {ReadonlyArray<Row>} rows
 * @property {ReadonlyArray<Row>} [beaten] in what others were better than Lifeline, where the benchmark knows it
 * @property {ReadonlyArray<string>} [notes]
 */

/** Prints rows as a table. @param {ReadonlyArray<Row>} rows */
const printRows = (rows) => {
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))]
  const isBounded = rows.some(({ bound }) => bound !== undefined)
  const cells = [
    ["", ...columns, ...(isBounded ? ["bound"] : [])],
    ...rows.map((row) => [row.name, ...columns.map((column) => String(row.figures[column] ?? "")), verdict(row)])
  ]
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((line) => (line[i] ?? "").length)))
  for (const line of cells) {
    console.log(
      line.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)).join("  ").trimEnd()
    )
  }
}

/** Prints a result as a table. @param {Result} result */
export const print = ({ beaten = [], notes = [], rows, title }) => {
  console.log(`${title}\n`)
  printRows(rows)
  if (beaten.length > 0) {
    console.log("\nWhere another was better:\n")
    printRows(beaten)
  }
  for (const note of notes) console.log(`\n${note}`)
}

/** Prints results: a table each, or one JSON value with all. `notes` are of all parts. @param {{ parts: ReadonlyArray<Result>, notes?: ReadonlyArray<string>, json: boolean }} results */
export const reportParts = ({ json, notes = [], parts }) => {
  const { cores, cpu, load, node } = atStart
  const { load: loadAfter } = machine()
  if (json) return console.log(JSON.stringify({ machine: atStart, loadAfter, parts, notes }, null, 2))
  console.log(`${cores} cores (${cpu}), node ${node}, load ${load.join(" ")} before, ${loadAfter.join(" ")} after`)
  for (const part of parts) {
    console.log("")
    print(part)
  }
  for (const note of notes) console.log(`\n${note}`)
}

/** Prints one result. @param {Result & { json: boolean }} result */
export const report = ({ json, ...part }) => reportParts({ parts: [part], json })
