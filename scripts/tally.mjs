// Prints `N passed, N failed` over all tests of the last `pnpm test`, from vitest's own report. A file that did not load
// counts as one failure; without a report nothing passed.
import { existsSync, readFileSync } from "node:fs"

const report = new URL("../build/test-results.json", import.meta.url)

/**
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {ReadonlyArray<{ readonly status: string, readonly assertionResults: ReadonlyArray<{ readonly status: string }> }>} testResults
 */

/** @type {Report} */
const { numFailedTests, numPassedTests, testResults } = existsSync(report)
  ? JSON.parse(readFileSync(report, "utf8"))
  : { numPassedTests: 0, numFailedTests: 0, testResults: [] }
const unloaded = testResults.filter(({ assertionResults, status }) =>
  status === "failed" && assertionResults.every((result) => result.status !== "failed")
)

console.log(`${numPassedTests} passed, ${numFailedTests + unloaded.length} failed`)
