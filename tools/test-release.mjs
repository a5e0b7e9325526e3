/**
 * What is tested before a release, and at night, beyond `pnpm test`: one step after the other, or those that are named.
 *
 *     node tools/test-release.mjs [step]...
 */
import { fileURLToPath } from "node:url"
import { pnpmCommand, run } from "./run.mjs"

const cwd = fileURLToPath(new URL("../", import.meta.url))

/** Each is a command line for pnpm. @type {Readonly<Record<string, ReadonlyArray<string>>>} */
const steps = {
  slow: ["test:slow"],
  packages: ["check:packages"],
  installed: ["check:installed", "--all"],
  api: ["docs:api"],
  conformance: ["test:conformance"],
  nodes: ["exec", "node", "tools/test-nodes.mjs"],
  soak: ["soak", "--minutes", "10", "--seed", "1"],
  windows: ["test:windows"]
}

const names = process.argv.slice(2)
const unknown = names.filter((name) => steps[name] === undefined)
if (unknown.length > 0) {
  console.error(`There is no step ${unknown.join(", ")}. The steps: ${Object.keys(steps).join(", ")}`)
  process.exit(2)
}

/** @type {Array<string>} */
const failed = []
for (const name of names.length > 0 ? names : Object.keys(steps)) {
  const started = performance.now()
  console.log(`\n> ${name}`)
  const [command, args] = await pnpmCommand(steps[name] ?? [], cwd)
  const code = await run(command, args, { cwd })
  if (code !== 0) failed.push(name)
  console.log(`< ${name}: ${code === 0 ? "ok" : "FAILED"}, ${((performance.now() - started) / 1000).toFixed(1)} s`)
}
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
