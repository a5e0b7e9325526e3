/**
 * Runs the gate's tests of what depends on the runtime, the transports, the HTTP server and the protocol, on the other Nodes that are supported;
 * `pnpm test` runs them on this one. Arguments go to vitest.
 *
 *     node tools/test-nodes.mjs [vitest arguments]
 */
import { mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { majors } from "./installed.mjs"
import { capture } from "./run.mjs"

const packages = ["http-server", "protocol", "transport-http", "transport-stdio"]

const root = fileURLToPath(new URL("../", import.meta.url))
const ours = Number(process.versions.node.split(".")[0])

// An npx around us would tell ours what to run.
delete process.env["npm_config_package"]
delete process.env["npm_config_call"]
mkdirSync(`${root}build`, { recursive: true })

/** Tests them on one Node.js. Resolves with whether all passed, and what was written. @param {number} major */
const test = (major) =>
  capture("npx", [
    "--yes",
    "-p",
    `node@${major}`,
    "--",
    "node",
    "node_modules/vitest/vitest.mjs",
    "run",
    "--project=gate",
    ...packages.map((name) => `packages/${name}/test/`),
    // For each of two.
    "--poolOptions.forks.minForks=3",
    "--poolOptions.forks.maxForks=3",
    "--silent=passed-only",
    "--reporter=dot",
    ...process.argv.slice(2)
  ], { cwd: root }).then(
    (output) => ({ major, output, passed: true }),
    (/** @type {Error} */ error) => ({ major, output: error.message, passed: false })
  )

// At the same time: they mostly wait.
const tested = await Promise.all(majors.filter((major) => major !== ours).map(test))
for (const { major, output } of tested) console.log(`\n> node ${major}: ${packages.join(", ")}\n${output}`)
const failed = tested.filter(({ passed }) => !passed).map(({ major }) => major)
if (failed.length > 0) {
  console.error(`Failed on Node ${failed.join(", ")}`)
  process.exitCode = 1
}
