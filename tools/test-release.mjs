// What is tested before a release, and at night, beyond `pnpm test`: one step after the other, or the one that is named.
import { bundles, packages, runSteps } from "./steps.mjs"

const release = {
  slow: ["node tools/test.mjs slow"],
  packages: ["node tools/check.mjs packages"],
  installed: ["node tools/check.mjs installed --all"],
  api: ["node tools/build.mjs api"],
  conformance: [packages, bundles, "node tools/conformance/run.mjs"],
  nodes: ["node tools/test-nodes.mjs"],
  soak: [packages, "node tools/soak/run.mjs"],
  windows: [packages, "node tools/test-windows.mjs"]
}

await runSteps("test:release", {
  ...release,
  sdk: [packages, "node tools/conformance/sdk-tests.mjs"],
  cluster: ["node tools/test-cluster.mjs"],
  model: ["node tools/test-model.mjs"],
  faults: ["node tools/plant-faults.mjs"],
  demo: [packages, "node tools/demo-cluster.mjs"]
}, Object.keys(release))
