/**
 * What `.ci/run` tests after `pnpm test`, in rows beside each other: each step waits half of its time, for packages that are installed, for a time to
 * be over, or for a single program. What a step prints is shown when it has ended.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { majors } from "./installed.mjs"
import { capture, output, pnpmCommand } from "./run.mjs"

const cwd = fileURLToPath(new URL("../", import.meta.url))

// They take what is built as it is: none may write what another one reads.
process.env["LIFELINE_BUILT"] = "1"

/** Rows that take about as long. @type {ReadonlyArray<ReadonlyArray<ReadonlyArray<string>>>} */
const rows = [
  [["test:conformance"], ["test:nodes"]],
  [
    ["check:installed"],
    ["docs:api"],
    ["soak", "--seconds", "20", "--seed", "1", "--doors", "connect,serve"],
    ["test:windows"]
  ]
]

const hasWine = process.platform === "win32" || spawnSync("wine", ["--version"]).error === undefined

/** @type {Array<string>} */
const failed = []

/** @param {ReadonlyArray<string>} args */
const step = async (args) => {
  const [name = ""] = args
  if (name === "test:windows" && !hasWine) return console.log("The tests for Windows are skipped: there is no Wine")
  console.log(`> ${args.join(" ")}`)
  const started = performance.now()
  const { both, code } = await output(...await pnpmCommand(args, cwd), { cwd })
  if (code !== 0) failed.push(name)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`\n${both}\n< ${name}: ${code === 0 ? "ok" : "FAILED"}, ${seconds} s\n`)
}

// An npx around us would tell ours what to run.
delete process.env["npm_config_package"]
delete process.env["npm_config_call"]
// Two of npm at once would install the same Node twice, into one folder.
for (const major of majors) await capture("npx", ["--yes", "-p", `node@${major}`, "--", "node", "--version"], { cwd })

await Promise.all(rows.map(async (row) => {
  for (const args of row) await step(args)
}))
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
