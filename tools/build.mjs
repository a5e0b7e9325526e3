// What is made from the sources: the packages, or the step that is named.
import { packages, runSteps } from "./steps.mjs"

await runSteps("build", {
  packages: [packages],
  tarballs: [packages, "pnpm --recursive --filter ./packages/* pack --pack-destination build/packed"],
  api: ["node tools/reference/make.mjs"],
  records: ["node tools/records/pages.mjs"],
  tables: ["node tools/benchmarks/pages.mjs"]
}, ["packages"])
