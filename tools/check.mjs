// Checks what no test runs: the types, or the step that is named.
import { packages, runSteps } from "./steps.mjs"

await runSteps("check", {
  types: ["tsc -b"],
  sizes: ["node tools/check-sizes.mjs"],
  links: ["remark . --ignore-path .gitignore --no-stdout --quiet --frail"],
  snippets: [packages, "node tools/check-snippets.mjs"],
  packages: [packages, "node tools/check-packages.mjs"],
  installed: [packages, "node tools/check-installed.mjs"]
}, ["types"])
