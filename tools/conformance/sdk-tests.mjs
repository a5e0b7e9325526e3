/**
 * Runs the own tests of the official SDK, of a checkout at a tag of v1 or v2: as they are, and those that use its Client with Lifeline in its
 * place. Nothing of the checkout is changed; the configurations of vitest in `sdk/` put Lifeline in. Prints how many tests each known difference makes
 * fail, and fails if a test fails whose reason `sdk/differences.json` does not have. docs/internals/conformance.md says how to make a checkout.
 *
 *     node tools/conformance/sdk-tests.mjs --sdk build/sdk [test/e2e...] [--way supervised]
 *     node tools/conformance/sdk-tests.mjs --sdk build/sdk --again
 *
 * With names of files or a way, it runs only these. `--again` runs nothing, and looks the reasons of the last run up again.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { counted } from "../records/page.mjs"
import { output } from "../run.mjs"
import { fileOf } from "./sdk/results.mjs"
import { versionOf } from "./sdk/versions.mjs"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    sdk: { type: "string" },
    way: { type: "string", multiple: true },
    again: { type: "boolean", default: false }
  }
})
const sdk = resolve(values.sdk ?? "build/sdk")
const version = versionOf(sdk)
const ways = values.way ?? version.ways
const vitest = `${sdk}/node_modules/vitest/vitest.mjs`
if (!existsSync(vitest)) {
  throw new Error(
    `${sdk} has no vitest: --sdk names a checkout of the SDK whose dependencies are installed`
  )
}

const build = fileURLToPath(new URL("../../build/", import.meta.url))
const runs = `${build}sdk-tests/${version.name}`
const config = fileURLToPath(new URL(`sdk/${version.config}`, import.meta.url))

/** @param {string | undefined} way @param {string} json what vitest wrote @param {string} both @returns {ReadonlyArray<import("./sdk/results.mjs").Ran>} */
const ranOf = (way, json, both) => {
  if (!existsSync(json)) throw new Error(`vitest wrote no results\n${both}`)
  const { testResults } = JSON.parse(readFileSync(json, "utf8"))
  const results = testResults.map((/** @type {any} */ { assertionResults, message, name }) => {
    if (assertionResults.length === 0) throw new Error(`${name} has no tests: ${message}\n${both}`)
    // Those for another runtime are skipped.
    const tests = assertionResults.filter((/** @type {any} */ { status }) => status === "passed" || status === "failed")
    return { file: relative(sdk, name), tests }
  }).filter((/** @type {any} */ { tests }) => tests.length > 0)
  const tests = results.flatMap((/** @type {any} */ { tests }) => tests)
  const passes = tests.filter((/** @type {any} */ { status }) => status === "passed").length
  console.log(`${way ?? "as they are"}: ${passes} of ${tests.length} tests pass, in ${results.length} files`)
  return results
}

/**
 * @param {string | undefined} way what Lifeline is in the place of
 * @param {ReadonlyArray<string>} files
 * @returns {Promise<ReadonlyArray<import("./sdk/results.mjs").Ran>>}
 */
const play = async (way, files) => {
  const json = `${runs}/${way ?? "as-is"}.json`
  if (values.again) return ranOf(way, json, "")
  rmSync(json, { force: true })
  const env = { ...process.env, LIFELINE_SDK_FOLDER: sdk, ...way === undefined ? {} : { LIFELINE_SDK_WAY: way } }
  const args = ["run", ...files, "--root", sdk, "--config", config, "--reporter=json", `--outputFile=${json}`]
  const { both } = await output(process.execPath, [vitest, ...args], { cwd: sdk, env })
  return ranOf(way, json, both)
}

mkdirSync(runs, { recursive: true })
const asIs = await play(undefined, positionals.length > 0 ? positionals : version.files(sdk))
const names = version.withClient(sdk, asIs.map(({ file }) => file))
/** @type {Record<string, ReadonlyArray<import("./sdk/results.mjs").Ran>>} */
const by = {}
for (const way of ways) by[way] = await play(way, names)

const files = asIs.map(({ file: name }) =>
  fileOf(
    version.name,
    name,
    Object.fromEntries(ways.map((way) => [way, by[way]?.find(({ file }) => file === name)]))
  )
).toSorted((a, b) => a.file.localeCompare(b.file))

for (const way of ways) {
  const runs = files.flatMap(({ ways = {} }) => ways[way] ?? [])
  const sum = (/** @type {(run: import("./sdk/results.mjs").Run) => number} */ of) =>
    runs.reduce((n, run) => n + of(run), 0)
  const [tests, passes, better] = [sum((run) => run.tests), sum((run) => run.passes), sum((run) => run.better.length)]
  console.log(
    `\n${version.name}, ${way}: connects in ${tests} tests; ${passes} pass, ${better} pass that the SDK lists as failing, ${
      tests - passes - better
    } fail:`
  )
  const reasons = runs.flatMap(({ fails }) => fails).flatMap(({ kind, tests, why = "" }) =>
    tests.map(() => `${kind}: ${why}`)
  )
  for (const [reason, count] of counted(reasons)) console.log(`  ${count}  ${reason}`)
}
for (const { file, ways = {}, why } of files) {
  if (why === "unknown") console.error(`${file}: elsewhere.json says not why nothing of ours is in it`)
  for (const [way, { fails }] of Object.entries(ways)) {
    for (const { kind, tests } of fails) if (kind === "unknown") console.error(`${way}, ${file}: ${tests.join()} fails`)
  }
}
const isUnknown = files.some(({ ways = {}, why }) =>
  why === "unknown" || Object.values(ways).some(({ fails }) => fails.some(({ kind }) => kind === "unknown"))
)
if (isUnknown) process.exitCode = 1
