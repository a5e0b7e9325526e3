/**
 * The steps of a script of package.json: `pnpm check links --json` runs the step `links` of `check`, with what follows its name.
 */
import { fileURLToPath } from "node:url"
import { pnpmCommand, run } from "./run.mjs"

const cwd = fileURLToPath(new URL("../", import.meta.url))

/** Compiles the packages, which most steps need. */
export const packages = "tsc -b tools/tsconfig.build.json"

/** Makes the programs as they are published. */
export const bundles = "pnpm --filter mcp-lifeline --filter @mcp-lifeline/client run prepack"

/** @param {string} line @param {ReadonlyArray<string>} args */
const carryOut = async (line, args) => {
  const [command = "", ...words] = [...line.split(" "), ...args]
  return command === "pnpm" ? run(...await pnpmCommand(words, cwd), { cwd }) : run(command, words, { cwd })
}

/**
 * Runs the step that is named, or all of `whole`, each although another one has failed. A step is command lines, of which each needs the one before.
 *
 * @param {string} script
 * @param {Readonly<Record<string, ReadonlyArray<string>>>} steps
 * @param {ReadonlyArray<string>} whole
 */
export const runSteps = async (script, steps, whole) => {
  const [name, ...args] = process.argv.slice(2)
  if (name !== undefined && !Object.hasOwn(steps, name)) {
    console.error(`pnpm ${script} has no step ${name}. The steps: ${Object.keys(steps).join(", ")}`)
    process.exit(2)
  }
  /** @type {Array<string>} */
  const failed = []
  for (const one of name === undefined ? whole : [name]) {
    const started = performance.now()
    if (whole.length > 1) console.log(`\n> ${one}`)
    let code = 0
    const lines = steps[one] ?? []
    for (const [index, line] of lines.entries()) {
      code ||= await carryOut(line, index === lines.length - 1 ? args : [])
    }
    if (code !== 0) failed.push(one)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    if (whole.length > 1) console.log(`< ${one}: ${code === 0 ? "ok" : "FAILED"}, ${seconds} s`)
  }
  if (failed.length === 0) return
  if (whole.length > 1) console.error(`Failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
