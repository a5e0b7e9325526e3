// Everything that `pnpm test` checks: each step is a script of package.json and runs even when another one failed, so that one run tells all.
// Steps that do not need each other run at the same time. Vitest is last and gets the arguments, e.g. `pnpm test --project mcp-lifeline`.
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { output, run } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))
const report = "build/test-results.json"
/** @type {{ readonly scripts: Readonly<Record<string, string>> }} */
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))

rmSync(`${root}${report}`, { force: true })
mkdirSync(`${root}build`, { recursive: true })

/** @type {Array<string>} */
const failed = []

/** The command of a script. @param {string} name */
const commandOf = (name) => {
  const command = scripts[name]
  if (command === undefined) throw new Error(`package.json has no script "${name}"`)
  return command
}

/** Shows what it prints when it has ended. @param {string} name */
const step = async (name) => {
  const command = commandOf(name)
  const started = performance.now()
  const { both, code } = await output(command, [], { cwd: root, shell: true })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  if (code !== 0) failed.push(name)
  console.log(`\n> ${name}: ${command}\n${both}< ${name}: ${code === 0 ? "ok" : "FAILED"}, ${seconds} s`)
}

/** @param {ReadonlyArray<string>} args */
const vitest = async (args) => {
  const command = commandOf("vitest")
  console.log(`\n> vitest: ${command}`)
  // The shell expands nothing of the user's: the arguments are quoted.
  const quoted = args.map((argument) => `'${argument.replaceAll("'", `'\\''`)}'`)
  if (await run([command, ...quoted].join(" "), [], { cwd: root, shell: true }) !== 0) failed.push("vitest")
}

await Promise.all(["check", "lint", "check:links"].map(step))
// These use what the first has compiled. The second packs every package, and what is packed changes seldom: `.ci/run` does it.
await Promise.all(
  [
    "check:snippets",
    ...((process.env["LIFELINE_SLOW"] ?? process.env["LIFELINE_FULL"]) === undefined ? [] : ["check:packages"])
  ].map(step)
)
await vitest(["--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)])

if (failed.length > 0) {
  console.error(`Failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
