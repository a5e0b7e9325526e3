// Checks what no test runs: the types, or the step that is named.
import { packages, runSteps } from "./steps.mjs"

await runSteps("check", {
  types: ["tsc -b"],
  links: ["remark . --ignore-path .gitignore --no-stdout --quiet --frail"],
  snippets: [packages, "node tools/check-snippets.mjs"],
  packages: [packages, "node tools/check-packages.mjs"],
  installed: [packages, "node tools/check-installed.mjs"]
}, ["types"])
