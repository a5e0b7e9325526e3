// What is tested before a release, and at night, beyond `pnpm test`: one step after the other, or the one that is named.
import { bundles, packages, runSteps } from "./steps.mjs"

const release = {
  slow: ["node tools/test.mjs slow"],
  packages: ["node tools/check.mjs packages"],
  installed: ["node tools/check.mjs installed --all"],
  api: ["node tools/build.mjs api"],
  conformance: [packages, bundles, "node tools/conformance/run.mjs"],
  soak: [packages, "node tools/soak/run.mjs"],
  windows: [packages, "node tools/test-windows.mjs"]
}

/** The long forms of what is generated, unless the environment says how long. */
const long = { LIFELINE_CLUSTER_ROUNDS: "3", LIFELINE_CLUSTER_RUNS: "2000", LIFELINE_MODEL_COMMANDS: "1000000" }
if (process.argv[2] === "cluster" || process.argv[2] === "model") process.env = { ...long, ...process.env }

await runSteps("test:release", {
  ...release,
  sdk: [packages, "node tools/conformance/sdk-tests.mjs"],
  cluster: ["vitest run --project slow packages/cluster/ ManyGateways"],
  model: ["vitest run --project gate packages/core/test/model/Model"],
  faults: ["node tools/plant-faults.mjs"]
}, Object.keys(release))
