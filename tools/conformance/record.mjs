/**
 * What the scenarios came to, way by way, in `build/conformance.json`: docs/compatibility.md is made from it (`tools/records.mjs
 * --conformance`).
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"

/**
 * `excused` fails for a reason that a list beside this file gives. `why` says why a scenario is not passed, where that is known.
 *
 * @typedef {object} Result
 * @property {"client" | "server"} suite
 * @property {string} way
 * @property {string} revision
 * @property {string} scenario
 * @property {"passes" | "excused" | "fails"} outcome
 * @property {string} [why]
 */

/** @type {Array<Result>} */
const results = []

/** @param {Result} result */
export const add = (result) => {
  results.push(result)
}

/** The versions of what was played and of what plays it. @param {string} name */
const versionOf = (name) =>
  JSON.parse(readFileSync(createRequire(import.meta.url).resolve(`${name}/package.json`), "utf8")).version

export const commit = () => {
  try {
    return execFileSync("git", ["rev-parse", "--short=7", "HEAD"], { encoding: "utf8", cwd: import.meta.dirname })
      .trim()
  } catch {
    return "unknown"
  }
}

/** @param {Result} result */
const place = ({ revision, scenario, suite, way }) => `${suite} ${way} ${revision} ${scenario}`

const file = new URL("../../build/conformance.json", import.meta.url)

/** @returns {any} what was found before by the same suite on the same Node.js */
const before = (/** @type {string} */ suite) => {
  const old = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined
  return old?.suite === suite && old.node === process.version ? old : undefined
}

/**
 * @param {boolean} isWhole whether all was played. Otherwise the results replace those of an earlier run, and `again` says how many, and of
 *   which commit
 */
export const write = (isWhole) => {
  mkdirSync(new URL(".", file), { recursive: true })
  const suite = versionOf("@modelcontextprotocol/conformance")
  const old = isWhole ? undefined : before(suite)
  const found = new Set(results.map(place))
  const left = (old?.results ?? []).filter((/** @type {Result} */ result) => !found.has(place(result)))
  const record = {
    date: old?.date ?? new Date().toISOString().slice(0, 10),
    commit: old?.commit ?? commit(),
    suite,
    node: process.version,
    ...old === undefined ? {} : { again: { commit: commit(), results: results.length } },
    results: [...left, ...results].toSorted((a, b) => place(a).localeCompare(place(b)))
  }
  writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`)
}
