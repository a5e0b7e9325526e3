/**
 * Runs every client scenario of the published conformance suite against Lifeline, and against the bare official Client where
 * Lifeline fails (with `--both` everywhere), and compares with `passing.json`, the scenarios that Lifeline passes. Fails when
 *
 * - one of the list does not pass, or is no longer in the suite: the list cannot shrink unseen;
 * - the official Client passes one that Lifeline does not;
 * - Lifeline passes one that is not in the list: then write it in.
 *
 *     node conformance/run.mjs [scenario...] [--both] [--verbose]
 *
 * The suite needs Node 22 or newer; the clients run on the Node that runs this.
 */
import { spawn } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { capture } from "../scripts/run.mjs"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { both: { type: "boolean", default: false }, verbose: { type: "boolean", default: false } }
})

const here = fileURLToPath(new URL(".", import.meta.url))
const suite = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json")),
  "dist/index.js"
)
/** @type {ReadonlyArray<string>} */
const expected = JSON.parse(readFileSync(new URL("passing.json", import.meta.url), "utf8"))

// An npx around us would tell ours what to run.
delete process.env["npm_config_package"]
delete process.env["npm_config_call"]

const node = Number(process.versions.node.split(".")[0]) >= 22
  ? process.execPath
  : (await capture("npx", ["--yes", "-p", "node@24", "--", "node", "-p", "process.execPath"], { cwd: here })).trim()
    .split("\n").at(-1) ?? ""

/**
 * Scenarios that measure time, in tenths of a second and whatever else the machine does: nothing of ours runs beside them,
 * and they are played up to three times. A client that does not keep the time fails all of them.
 */
const timed = new Set(["sse-retry"])
const tries = 3

/** A client that hangs ends itself after 25 s. */
const limit = 30_000

/**
 * Whether a client passes a scenario, and what the suite said.
 *
 * @param {"lifeline" | "official"} client
 * @param {string} scenario
 * @returns {Promise<{ readonly passed: boolean, readonly output: string }>}
 */
const play = (client, scenario) =>
  new Promise((resolve, reject) => {
    // The suite splits its command at spaces and gives it to a shell: what it needs comes as variables.
    const child = spawn(node, [
      suite,
      "client",
      "--command",
      '"$CONFORMANCE_NODE" "$CONFORMANCE_CLIENT"',
      "--scenario",
      scenario,
      "--timeout",
      String(limit)
    ], {
      cwd: here,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        CONFORMANCE_NODE: process.execPath,
        CONFORMANCE_CLIENT: join(here, `${client}.mjs`)
      }
    })
    let output = ""
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString()
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    // A suite that cannot end its own servers.
    const timer = setTimeout(() => child.kill("SIGKILL"), limit + 10_000)
    child.once("error", reject)
    child.once("close", (code) => {
      clearTimeout(timer)
      resolve({ passed: code === 0, output })
    })
  })

const listing = await capture(node, [suite, "list", "--client"], { cwd: here })
const all = [...listing.matchAll(/^ {2}- (\S+) \[/gm)].map((match) => match[1] ?? "")
const scenarios = positionals.length === 0 ? all : positionals

/** @type {Array<string>} */
const complaints = []
let passed = 0
for (const scenario of expected) {
  if (positionals.length === 0 && !all.includes(scenario)) complaints.push(`${scenario}: not in the suite any more`)
}

/** @param {string} scenario */
const compare = async (scenario) => {
  let lifeline = await play("lifeline", scenario)
  for (let left = tries - 1; timed.has(scenario) && !lifeline.passed && left > 0; left--) {
    console.log(`lifeline fails                     ${scenario}, played again\n${lifeline.output}`)
    lifeline = await play("lifeline", scenario)
  }
  const official = lifeline.passed && !values.both ? undefined : await play("official", scenario)
  const mark = (/** @type {boolean | undefined} */ passed) =>
    passed === undefined ? "not run" : passed ? "passes " : "fails  "
  console.log(`lifeline ${mark(lifeline.passed)}  official ${mark(official?.passed)}  ${scenario}`)
  const listed = expected.includes(scenario)
  if (lifeline.passed && listed) passed++
  if (!lifeline.passed && listed) complaints.push(`${scenario}: is in passing.json and fails`)
  else if (!lifeline.passed && official?.passed) complaints.push(`${scenario}: the official Client passes it`)
  else if (lifeline.passed && !listed) complaints.push(`${scenario}: passes; write it into passing.json`)
  else if (!values.verbose) return
  for (const [name, played] of Object.entries({ lifeline, official })) {
    if (played !== undefined) console.log(`--- ${name}, ${scenario}\n${played.output}`)
  }
}

const queue = scenarios.filter((scenario) => !timed.has(scenario))
const worker = async () => {
  for (let scenario = queue.shift(); scenario !== undefined; scenario = queue.shift()) await compare(scenario)
}
for (const scenario of scenarios) if (timed.has(scenario)) await compare(scenario)
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker))

for (const complaint of complaints) console.error(complaint)
console.log(`${passed} of ${expected.length} in the list pass`)
if (positionals.length === 0) {
  // For scripts/tally.mjs.
  const build = new URL("../build/", import.meta.url)
  mkdirSync(build, { recursive: true })
  writeFileSync(
    new URL("test-results-conformance.json", build),
    JSON.stringify({ numPassedTests: passed, numFailedTests: complaints.length, testResults: [] })
  )
}
process.exitCode = complaints.length === 0 ? 0 : 1
