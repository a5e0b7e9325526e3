/** docs/robustness.md: faults and runs from docs/robustness.json. */
import { counted, number, table } from "./page.mjs"
import { command, problemOf, textOf } from "./proof.mjs"

/** @typedef {import("./proof.mjs").Proof} Proof */

/** How a fault was found. */
export const ways = {
  "user trial": "somebody followed the pages and used Lifeline, without knowing its code",
  "hostile peer or fuzz":
    "servers, clients, authorization servers, files and local users that mean harm, played against it; generated junk at every door",
  "model-based test": "generated interleavings of commands, losses, clocks and calls, compared with a model",
  "generated test": "other properties that are checked with generated cases",
  "test with real servers":
    "tests and benchmarks with real processes, sockets and clients of others, often on a busy machine",
  "soak": "random faults at every door for a long time, with a ledger at the end",
  "conformance suite": "the protocol's published suite, and the official SDK's own tests",
  "planted fault": "a fault was planted in the sources, and no test noticed",
  "review": "reading, or writing a test for a promise"
}

/**
 * `since` is the commit that brought the fault, where the faulty lines show it; `contract` the promises that it broke.
 *
 * @typedef {object} Fault
 * @property {string} area
 * @property {string} fault
 * @property {string} foundBy
 * @property {string} [since]
 * @property {string} mended
 * @property {ReadonlyArray<string>} contract
 * @property {Proof} proof
 */
/**
 * A measured run.
 *
 * @typedef {object} Run
 * @property {string} what
 * @property {string} [command] none if it was made by hand
 * @property {string} commit
 * @property {number} [minutes]
 * @property {number} [calls]
 * @property {number} [kills]
 * @property {number} [unknown]
 * @property {number} [effectsTwice]
 * @property {string} found
 */

const source = "docs/robustness.json"
const isCommit = (/** @type {unknown} */ text) => typeof text === "string" && /^[0-9a-f]{7}$/.test(text)

/** @returns {{ readonly faults: ReadonlyArray<Fault>, readonly runs: ReadonlyArray<Run> }} */
export const read = () => JSON.parse(textOf(source) ?? "")

/** What is wrong with the faults, one text each. @param {ReadonlyArray<Fault>} faults */
export const problems = (faults) => {
  const contract = textOf("docs/internals/contract.md") ?? ""
  return faults.flatMap(({ area, contract: ids, fault, foundBy, mended, proof, since }, index) => {
    const isRepeated = faults.findIndex((other) => other.fault === fault) < index
    const broken = problemOf(proof, ids)
    return [
      ...isRepeated ? ["is there twice"] : [],
      ...area === "" || !fault.endsWith(".") ? ["needs an area, and is a sentence"] : [],
      ...foundBy in ways ? [] : [`${foundBy} is no way to find a fault`],
      ...isCommit(mended) && (since === undefined || isCommit(since))
        ? []
        : ["since and mended are commits of seven digits"],
      ...ids.length > 0 ? [] : ["names no promise"],
      ...ids.filter((id) => !contract.includes(`| ${id} |`)).map((id) => `${id} is not in the contract`),
      ...broken === undefined ? [] : [broken]
    ].map((problem) => `${fault}: ${problem}`)
  })
}

/** @param {ReadonlyArray<Fault>} faults */
const found = (faults) =>
  table(
    ["Found by", "Faults", "What that is"],
    counted(faults.map(({ foundBy }) => foundBy)).map(([way, count]) => [
      way,
      count,
      ways[/** @type {keyof typeof ways} */ (way)]
    ])
  )

/** @param {string | undefined} commit */
const commitOf = (commit) => commit === undefined ? "" : `\`${commit}\``

/** @param {ReadonlyArray<Fault>} faults */
const listed = (faults) =>
  [...new Set(faults.map(({ area }) => area))].map((name) =>
    `### ${name}\n\n${
      table(
        ["What happened", "Found by", "Since", "Mended in", "Promise", "Today's proof"],
        faults.filter(({ area }) => area === name).map((one) => [
          one.fault,
          one.foundBy,
          commitOf(one.since),
          commitOf(one.mended),
          one.contract.join(", "),
          `\`${command(one.proof)}\``
        ])
      )
    }`
  ).join("\n\n")

/** @param {number | undefined} value */
const figure = (value) => value === undefined ? "" : number(value)

/** @param {ReadonlyArray<Run>} runs */
const measured = (runs) =>
  table(
    ["What", "Command", "Commit", "Minutes", "Calls", "Killed", "Result unknown", "Effects twice", "What was seen"],
    runs.map((run) => [
      run.what,
      run.command === undefined ? "by hand" : `\`${run.command}\``,
      commitOf(run.commit),
      figure(run.minutes),
      figure(run.calls),
      figure(run.kills),
      figure(run.unknown),
      figure(run.effectsTwice),
      run.found
    ])
  )

/** @param {ReadonlyArray<Run>} runs */
const summed = (runs) => {
  const sum = (/** @type {"minutes" | "calls" | "kills" | "effectsTwice"} */ name) =>
    runs.reduce((total, run) => total + (run[name] ?? 0), 0)
  return table(["Of the runs below", ""], [
    ["Hours, where they were noted", (sum("minutes") / 60).toFixed(1)],
    ["Calls", number(sum("calls"))],
    ["Processes killed, where it was noted", number(sum("kills"))],
    ["Effects that happened twice", number(sum("effectsTwice"))]
  ])
}

/** The generated parts of the page. @returns {Record<string, string>} */
export const parts = () => {
  const { faults, runs } = read()
  const wrong = problems(faults)
  if (wrong.length > 0) throw new Error(`${source}:\n${wrong.join("\n")}`)
  return {
    totals: summed(runs),
    runs: measured(runs),
    found: `${number(faults.length)} faults.\n\n${found(faults)}`,
    faults: listed(faults)
  }
}
