// Checks what no test runs: the types, or the step that is named.
import { availableParallelism } from "node:os"
import { packages, runSteps } from "./steps.mjs"

/** On two cores, threads that each check what they share take half as much again of the machine, and no less time. */
const threads = availableParallelism() > 2 ? "" : " --singleThreaded"

await runSteps("check", {
  types: [`tsc -b${threads}`],
  sizes: ["node tools/check-sizes.mjs"],
  regexes: ["oxlint -c tools/regexes.oxlintrc.json --deny-warnings --ignore-pattern **/test/** packages"],
  listings: ["node tools/check-listings.mjs"],
  links: ["remark . --ignore-path .gitignore --no-stdout --quiet --frail"],
  snippets: [packages, "node tools/check-snippets.mjs"],
  packages: [packages, "node tools/check-packages.mjs"],
  installed: [packages, "node tools/check-installed.mjs"]
}, ["types"])
