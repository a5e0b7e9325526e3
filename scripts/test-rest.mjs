/**
 * What `pnpm test:all` tests after `pnpm test`, in two rows beside each other: each step waits half of its time, for packages that are installed, for a
 * time to be over, or for a single program. Only the tests for Windows are alone. What a step prints is shown when it has ended.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { majors } from "./installed.mjs"
import { capture, output, pnpmCommand } from "./run.mjs"

const cwd = fileURLToPath(new URL("../", import.meta.url))

// They take what is built as it is: none may write what another one reads.
process.env["LIFELINE_BUILT"] = "1"

/**
 * The first row has what keeps to times; the second gets the processor when that leaves it.
 *
 * @type {ReadonlyArray<{ readonly isPatient: boolean, readonly steps: ReadonlyArray<ReadonlyArray<string>> }>}
 */
const rows = [
  {
    isPatient: false,
    steps: [
      ["test:conformance"],
      ["test:nodes"],
      ["soak", "--seconds", "20", "--seed", "1", "--doors", "connect,serve"]
    ]
  },
  { isPatient: true, steps: [["check:installed"], ["docs:api"]] }
]

const hasWine = process.platform === "win32" || spawnSync("wine", ["--version"]).error === undefined

/** @type {Array<string>} */
const failed = []

/** @param {ReadonlyArray<string>} args @param {boolean} isPatient */
const step = async (args, isPatient) => {
  const [name = ""] = args
  if (name === "test:windows" && !hasWine) return console.log("The tests for Windows are skipped: there is no Wine")
  console.log(`> ${args.join(" ")}`)
  const started = performance.now()
  const [command, given] = await pnpmCommand(args, cwd)
  const { both, code } = isPatient && process.platform !== "win32"
    ? await output("nice", ["-n", "10", command, ...given], { cwd })
    : await output(command, given, { cwd })
  if (code !== 0) failed.push(name)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`\n${both}\n< ${name}: ${code === 0 ? "ok" : "FAILED"}, ${seconds} s\n`)
}

// An npx around us would tell ours what to run.
delete process.env["npm_config_package"]
delete process.env["npm_config_call"]
// Two of npm at once would install the same Node twice, into one folder.
for (const major of majors) await capture("npx", ["--yes", "-p", `node@${major}`, "--", "node", "--version"], { cwd })

await Promise.all(rows.map(async ({ isPatient, steps }) => {
  for (const args of steps) await step(args, isPatient)
}))
// Alone: Wine takes long to end processes when others want the processor.
await step(["test:windows"], false)
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
