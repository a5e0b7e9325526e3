// Prints `N passed, N failed` over all tests of the last `.ci/run`, from the reports in build: vitest's own, one for each Node,
// that for Windows, and the conformance suite's; above it, what failed. A file that did not load counts as one failure; without a report nothing passed.
import { existsSync, readdirSync, readFileSync } from "node:fs"

const build = new URL("../build/", import.meta.url)
/** Of the message of a failure, which may hold whole logs. */
const mostCharacters = 4000

/**
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {ReadonlyArray<{
 *   readonly name: string
 *   readonly status: string
 *   readonly message: string
 *   readonly assertionResults: ReadonlyArray<{
 *     readonly status: string
 *     readonly fullName: string
 *     readonly failureMessages: ReadonlyArray<string>
 *   }>
 * }>} testResults
 */

/** @type {ReadonlyArray<readonly [name: string, report: Report]>} */
const reports = (existsSync(build) ? readdirSync(build) : [])
  .filter((name) => /^test-results.*\.json$/.test(name))
  .map((name) => [name, JSON.parse(readFileSync(new URL(name, build), "utf8"))])

let passed = 0
let failed = 0
for (const [report, { numPassedTests, testResults }] of reports) {
  passed += numPassedTests
  for (const { assertionResults, message, name, status } of testResults) {
    const faults = assertionResults.filter((result) => result.status === "failed")
    if (status === "failed" && faults.length === 0) {
      console.log(`${report}: ${name} did not load\n${message.slice(0, mostCharacters)}`)
    }
    for (const { failureMessages, fullName } of faults) {
      console.log(`${report}: ${name}: ${fullName}\n${failureMessages.join("\n").slice(0, mostCharacters)}`)
    }
    failed += Math.max(faults.length, status === "failed" ? 1 : 0)
  }
}

console.log(`${passed} passed, ${failed} failed`)
