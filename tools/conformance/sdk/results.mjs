/** What the SDK's tests came to, file by file, with Lifeline in a place and without. */
import { readFileSync } from "node:fs"

/**
 * A file as vitest reports it.
 *
 * @typedef {object} Test
 * @property {string} fullName
 * @property {string} status
 * @property {ReadonlyArray<string>} failureMessages
 * @property {{ readonly lifeline?: boolean }} [meta]
 */
/** @typedef {{ readonly file: string, readonly tests: ReadonlyArray<Test> }} Ran */
/**
 * Of `kind`s, `differs` is on purpose, `inside` looks into the Client or its transport, `fault` is not mended yet, `mended` was after the last run, and
 * `stage` is the way in which the test is set up. `tests` are names, of which each may be of several transports; `messages` are texts of the failures of others. The first one in the list counts.
 *
 * @typedef {object} Difference
 * @property {string} why
 * @property {"differs" | "inside" | "fault" | "mended" | "stage"} kind
 * @property {ReadonlyArray<string>} tests
 * @property {ReadonlyArray<string>} [messages]
 * @property {Version} [sdk] the only version of which this is true
 * @property {ReadonlyArray<string>} [ways] the only ways
 */
/** @typedef {"v1" | "v2"} Version */
/** Tests that fail for one reason. @typedef {{ readonly kind: Difference["kind"] | "unknown", readonly why?: string, readonly tests: ReadonlyArray<string> }} Failed */
/**
 * Tests of a file in which Lifeline connected something. `better` pass although the SDK lists them as failing.
 *
 * @typedef {{ readonly tests: number, readonly passes: number, readonly better: ReadonlyArray<string>, readonly fails: ReadonlyArray<Failed> }} Run
 */
/** `why` says why nothing of ours is in it. @typedef {{ readonly file: string, readonly ways?: Readonly<Record<string, Run>>, readonly why?: string }} File */

/** @param {string} name */
const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"))
/** @type {ReadonlyArray<Difference>} */
const differences = read("differences.json")
/** Why nothing of ours is in a file, by the beginning of its name. @type {Readonly<Record<string, string>>} */
const elsewhere = read("elsewhere.json")

/** The name without what all of them say. @param {Test} test */
const nameOf = ({ fullName }) => fullName.replace(" 2025-11-25]", "]").replace(/ verifies$/, "")

/** Whether it passes although the SDK lists it as one that fails. @param {Test} test */
const isBetter = ({ failureMessages, status }) =>
  status === "failed" && failureMessages.some((message) => message.includes("Expect test to fail"))

/**
 * The difference that a test that fails is known for, if any.
 *
 * @param {Version} version @param {string} way @param {Test} test
 */
const differenceOf = (version, way, test) => {
  const name = nameOf(test)
  return differences.find(({ messages = [], sdk = version, tests, ways = [way] }) =>
    sdk === version && ways.includes(way) && (
      tests.some((known) => name === known || name.startsWith(`${known} [`)) ||
      messages.some((message) => test.failureMessages.some((text) => text.includes(message)))
    )
  )
}

/** @param {Version} version @param {string} way @param {Ran} ran @returns {Run | undefined} */
const runOf = (version, way, { tests }) => {
  // One that fails before it has connected anything counts, too.
  const own = tests.filter(({ meta, status }) => meta?.lifeline === true || status === "failed")
  if (own.length === 0) return undefined
  const failed = own.filter((test) => test.status === "failed" && !isBetter(test))
  const found = failed.map((test) => ({ name: nameOf(test), difference: differenceOf(version, way, test) }))
  const known = [...new Set(found.flatMap(({ difference }) => difference ?? []))]
  return {
    tests: own.length,
    passes: own.filter(({ status }) => status === "passed").length,
    better: own.filter(isBetter).map(nameOf),
    fails: [
      ...known.map((one) => ({
        why: one.why,
        kind: one.kind,
        tests: found.filter(({ difference }) => difference === one).map(({ name }) => name)
      })),
      ...found.filter(({ difference }) => difference === undefined).map(({ name }) => ({
        kind: /** @type {const} */ ("unknown"),
        tests: [name]
      }))
    ]
  }
}

/** @param {Version} version @param {string} file @param {Readonly<Record<string, Ran | undefined>>} byWay @returns {File} */
export const fileOf = (version, file, byWay) => {
  const runs = Object.entries(byWay).flatMap(([way, ran]) => {
    const run = ran === undefined ? undefined : runOf(version, way, ran)
    return run === undefined ? [] : [/** @type {const} */ ([way, run])]
  })
  const [, why] = Object.entries(elsewhere).find(([beginning]) => file.startsWith(beginning)) ?? []
  return {
    file,
    ...runs.length > 0 ? { ways: Object.fromEntries(runs) } : { why: why ?? "unknown" }
  }
}
