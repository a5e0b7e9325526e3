/** The conformance suite, way by way: docs/compatibility/conformance.json, as `pnpm test:release conformance` writes it to build. */
import { readFileSync, writeFileSync } from "node:fs"
import { counted, table } from "./page.mjs"
import { root, textOf } from "./proof.mjs"

/**
 * @typedef {object} Result
 * @property {"client" | "server"} suite
 * @property {string} way
 * @property {string} revision
 * @property {string} scenario
 * @property {"passes" | "excused" | "fails"} outcome
 * @property {string} [why]
 */
/** @typedef {{ readonly date: string, readonly commit: string, readonly suite: string, readonly node: string, readonly again?: { readonly commit: string, readonly results: number }, readonly results: ReadonlyArray<Result> }} Conformance */

/** In the order in which they come. @template A @param {ReadonlyArray<A>} values */
const distinct = (values) => [...new Set(values)]

const kept = "docs/compatibility/conformance.json"
const made = "build/conformance.json"

/**
 * As it is kept: the names of what passes by a way, in a revision, and what does not.
 *
 * @typedef {Pick<Result, "suite" | "way" | "revision"> & { readonly passes: ReadonlyArray<string>, readonly others: ReadonlyArray<Pick<Result, "scenario" | "outcome" | "why">> }} Group
 */

/** @param {ReadonlyArray<Result>} results @returns {ReadonlyArray<Group>} */
export const grouped = (results) => {
  const keyOf = (/** @type {Result} */ { revision, suite, way }) => [suite, way, revision].join("\0")
  return distinct(results.map(keyOf)).flatMap((key) => {
    const own = results.filter((result) => keyOf(result) === key)
    return own.slice(0, 1).map(({ revision, suite, way }) => ({
      suite,
      way,
      revision,
      passes: own.filter(({ outcome }) => outcome === "passes").map(({ scenario }) => scenario),
      others: own.filter(({ outcome }) => outcome !== "passes").map(({ outcome, scenario, why }) => ({
        scenario,
        outcome,
        ...why === undefined ? {} : { why }
      }))
    }))
  })
}

/** @param {ReadonlyArray<Group>} groups @returns {ReadonlyArray<Result>} */
export const flat = (groups) =>
  groups.flatMap(({ others, passes, ...place }) => [
    ...passes.map((scenario) => ({ ...place, scenario, outcome: /** @type {const} */ ("passes") })),
    ...others.map((other) => ({ ...place, ...other }))
  ])

/** Keeps the last run. @returns {string} */
export const keep = () => {
  /** @type {Conformance} */
  const { results, ...head } = JSON.parse(readFileSync(`${root}${made}`, "utf8"))
  writeFileSync(`${root}${kept}`, `${JSON.stringify({ ...head, ways: grouped(results) }, undefined, 1)}\n`)
  return kept
}

/** @returns {Conformance | undefined} */
export const read = () => {
  const text = textOf(kept)
  if (text === undefined) return undefined
  const { ways, ...head } = JSON.parse(text)
  return { ...head, results: flat(ways) }
}

/** @param {ReadonlyArray<Result>} results */
const counts = (results) => {
  const is = (/** @type {Result["outcome"]} */ outcome) => results.filter((result) => result.outcome === outcome).length
  const others = [[is("excused"), "known"], [is("fails"), "not"]].filter(([count]) => count !== 0)
  return results.length === 0
    ? ""
    : [`**${is("passes")} of ${results.length}**`, ...others.map(([count, what]) => `${count} ${what}`)].join(", ")
}

/** @param {Conformance} conformance @param {Result["suite"]} suite */
const matrix = ({ results }, suite) => {
  const own = results.filter((result) => result.suite === suite)
  const revisions = distinct(own.map(({ revision }) => revision)).toSorted()
  return table(
    ["Way", ...revisions],
    distinct(own.map(({ way }) => way)).map((way) => [
      way,
      ...revisions.map((revision) => counts(own.filter((one) => one.way === way && one.revision === revision)))
    ])
  )
}

/** What does not pass: one line for each scenario and reason. @param {ReadonlyArray<Result>} results */
const left = (results) => {
  const others = results.filter(({ outcome }) => outcome !== "passes")
  const keyOf = (/** @type {Result} */ { scenario, suite, why = "" }) => [scenario, suite, why].join("\0")
  return table(
    ["Scenario", "Of the suite's", "Way", "Revision", "Why"],
    distinct(others.map(keyOf)).map((key) => {
      const same = others.filter((one) => keyOf(one) === key)
      const [scenario = "", suite = "", why = ""] = key.split("\0")
      return [
        `\`${scenario}\``,
        `${suite}s`,
        distinct(same.map(({ way }) => way)).join(", "),
        distinct(same.map(({ revision }) => revision)).join(", "),
        why
      ]
    })
  )
}

/** @returns {string} */
export const part = () => {
  const conformance = read()
  if (conformance === undefined) return "No run is kept yet."
  const { again, commit, date, node, results, suite } = conformance
  const outcomes = counted(results.map(({ outcome }) => outcome)).map(([outcome, count]) => `${count} ${outcome}`)
  const replayed = again === undefined
    ? ""
    : ` ${again.results} of these were played again, at commit \`${again.commit}\`, because some of them had failed the first time.`
  const head = `\`@modelcontextprotocol/conformance\` ${suite}, ${date}, commit \`${commit}\`, Node.js ${node.slice(1)}`
  return [
    `${head}: ${outcomes.join(", ")}.${replayed}`,
    "### Scenarios for clients",
    matrix(conformance, "client"),
    "### Scenarios for servers",
    matrix(conformance, "server"),
    "### What does not pass",
    left(results)
  ].join("\n\n")
}
