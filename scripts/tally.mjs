// Prints `N passed, N failed` over all tests of the last `.ci/run`, from the reports in build: vitest's own, one for each Node,
// and the conformance suite's. A file that did not load counts as one failure; without a report nothing passed.
import { existsSync, readdirSync, readFileSync } from "node:fs"

const build = new URL("../build/", import.meta.url)

/**
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {ReadonlyArray<{ readonly status: string, readonly assertionResults: ReadonlyArray<{ readonly status: string }> }>} testResults
 */

/** @type {ReadonlyArray<Report>} */
const reports = (existsSync(build) ? readdirSync(build) : [])
  .filter((name) => /^test-results.*\.json$/.test(name))
  .map((name) => JSON.parse(readFileSync(new URL(name, build), "utf8")))

let passed = 0
let failed = 0
for (const { numFailedTests, numPassedTests, testResults } of reports) {
  passed += numPassedTests
  failed += numFailedTests +
    testResults.filter(({ assertionResults, status }) =>
      status === "failed" && assertionResults.every((result) => result.status !== "failed")
    ).length
}

console.log(`${passed} passed, ${failed} failed`)
