// Everything that `pnpm test` checks, in order: each step is a script of package.json and runs even when one before it
// failed, so that one run tells all. Vitest is last and gets the arguments, e.g. `pnpm test --project mcp-lifeline`.
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { run } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))
const report = "build/test-results.json"
/** @type {{ readonly scripts: Readonly<Record<string, string>> }} */
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))

rmSync(`${root}${report}`, { force: true })
mkdirSync(`${root}build`, { recursive: true })

/** @type {Array<string>} */
const failed = []

/**
 * @param {string} name
 * @param {ReadonlyArray<string>} [args]
 */
const step = async (name, args = []) => {
  const command = scripts[name]
  if (command === undefined) throw new Error(`package.json has no script "${name}"`)
  console.log(`\n> ${name}: ${command}`)
  const started = performance.now()
  // The shell expands nothing of the user's: the arguments are quoted.
  const quoted = args.map((argument) => `'${argument.replaceAll("'", `'\\''`)}'`)
  const code = await run([command, ...quoted].join(" "), [], { cwd: root, shell: true })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  if (code !== 0) failed.push(name)
  if (name !== "vitest") console.log(`< ${name}: ${code === 0 ? "ok" : "FAILED"}, ${seconds} s`)
}

await step("check")
await step("lint")
await step("check:links")
await step("check:snippets")
// It packs every package, and what is packed changes seldom: `.ci/run` does it.
if (process.env["LIFELINE_FULL"] !== undefined) await step("check:packages")
await step("vitest", ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)])

if (failed.length > 0) {
  console.error(`Failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
