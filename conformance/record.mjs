/**
 * What the scenarios came to, way by way, in `build/conformance.json`: docs/compatibility.md is made from it (`scripts/records.mjs
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

const commit = () => {
  try {
    return execFileSync("git", ["rev-parse", "--short=7", "HEAD"], { encoding: "utf8", cwd: import.meta.dirname })
      .trim()
  } catch {
    return "unknown"
  }
}

/** @param {Result} result */
const place = ({ revision, scenario, suite, way }) => `${suite} ${way} ${revision} ${scenario}`

const file = new URL("../build/conformance.json", import.meta.url)

/** What was found before of this commit, and is not found anew. @param {object} head @returns {ReadonlyArray<Result>} */
const before = (head) => {
  if (!existsSync(file)) return []
  const { results: old, ...of } = JSON.parse(readFileSync(file, "utf8"))
  const found = new Set(results.map(place))
  return JSON.stringify(of) === JSON.stringify(head)
    ? old.filter((/** @type {Result} */ result) => !found.has(place(result)))
    : []
}

/** @param {boolean} isWhole whether all was played: otherwise what was played before at this commit stays */
export const write = (isWhole) => {
  mkdirSync(new URL(".", file), { recursive: true })
  const head = {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    suite: versionOf("@modelcontextprotocol/conformance"),
    node: process.version
  }
  const record = {
    ...head,
    results: [...isWhole ? [] : before(head), ...results].toSorted((a, b) => place(a).localeCompare(place(b)))
  }
  writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`)
}
