// Runs a set of tests: the gate, or `slow`, each after checks of its own. Each check runs even when another one failed, so that one run tells all. `pnpm test FILE ..`
// runs tests alone: the arguments go to vitest.
//
// Files with a failed test run once more, alone, after all others. What passes only then is printed as flaky, and does not fail the run.
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { output, run } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))
const report = `${root}build/verdict.json`
/** With more files than these, it is not the machine. */
const mostAgain = 20

/** @typedef {{ readonly file: string, readonly title: string }} Test */
/**
 * What `tools/vitest/Verdict.ts` writes.
 *
 * @typedef {object} Verdict
 * @property {ReadonlyArray<Test>} passed
 * @property {ReadonlyArray<Test & { readonly message: string }>} failed
 * @property {ReadonlyArray<{ readonly file: string, readonly message: string }>} broken
 * @property {ReadonlyArray<string>} errors
 */

/** @type {{ readonly scripts: Readonly<Record<string, string>> }} */
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))

/** The checks that failed. @type {Array<string>} */
const failed = []

/** Runs a script of package.json, or a step of it, and shows what it prints when it has ended. @param {string} script @param {string} [step] */
const check = async (script, step) => {
  const name = step === undefined ? script : `${script} ${step}`
  const started = performance.now()
  const { both, code } = await output(`${scripts[script]} ${step ?? ""}`, [], { cwd: root, shell: true })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  if (code !== 0) failed.push(name)
  console.log(`\n> ${name}\n${both}< ${name}: ${code === 0 ? "ok" : "FAILED"}, ${seconds} s`)
}

/** Resolves with what a run of vitest has found. @param {ReadonlyArray<string>} args @returns {Promise<Verdict>} */
const vitest = async (args) => {
  rmSync(report, { force: true })
  console.log(`\n> vitest run ${args.join(" ")}`)
  const code = await run("vitest", ["run", ...args], { cwd: root })
  try {
    /** @type {Verdict} */
    const verdict = JSON.parse(readFileSync(report, "utf8"))
    const { broken, errors, failed } = verdict
    const isGreen = failed.length + broken.length + errors.length === 0
    return code !== 0 && isGreen ? { ...verdict, errors: [`vitest has ended with ${code}`] } : verdict
  } catch {
    return { passed: [], failed: [], broken: [], errors: ["vitest has ended without a verdict"] }
  }
}

const [set, ...args] = process.argv.slice(2)
if (set !== undefined && set !== "slow") process.exit(await run("vitest", ["run", set, ...args], { cwd: root }))
mkdirSync(`${root}build`, { recursive: true })
if (set === undefined) {
  const quick = ["links", "listings", "sizes"].map((step) => check("check", step))
  await Promise.all([check("check"), check("lint"), ...quick])
  // It uses what the first has compiled.
  await check("check", "snippets")
} else if (args.length === 0) {
  await check("check", "regexes")
  await check("check", "installed --programs")
}

const project = ["--project", set ?? "gate"]
const first = await vitest([...project, ...args])
const files = [...new Set(first.failed.map(({ file }) => file))]
const isAgain = files.length > 0 && files.length <= mostAgain
const alone = ["--poolOptions.forks.minForks=1", "--poolOptions.forks.maxForks=1"]
const last = isAgain ? await vitest([...project, ...alone, ...files]) : first

/** @param {ReadonlyArray<Test>} tests @param {Test} test */
const isIn = (tests, { file, title }) => tests.some((one) => one.file === file && one.title === title)
const broken = [...new Set([first, last])].flatMap((one) => [
  ...one.broken.map(({ file, message }) => `${file} did not load or did not end\n${message}`),
  ...one.errors
])
/** Those that failed, and passed alone. What did neither did not run again. */
const flaky = isAgain ? first.failed.filter((one) => isIn(last.passed, one) && !isIn(last.failed, one)) : []
const lost = first.failed.filter((one) => !flaky.includes(one) && !isIn(last.failed, one))
const wrong = [...last.failed, ...lost]
const count = wrong.length + broken.length + failed.length
for (const { file, message, title } of wrong) console.log(`failed: ${file} > ${title}\n${message}`)
for (const message of broken) console.log(`failed: ${message}`)
for (const name of failed) console.log(`failed: pnpm ${name}`)
for (const { file, message, title } of flaky) console.log(`flaky: ${file} > ${title}\n  ${message.split("\n")[0]}`)
console.log(`${first.passed.length + flaky.length} passed, ${count} failed`)
if (count > 0) process.exitCode = 1
