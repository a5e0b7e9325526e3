/**
 * `pnpm build records`: makes the generated parts of docs/robustness.md and docs/compatibility.md from their data.
 */
import { writeFileSync } from "node:fs"
import { pages } from "./records/pages.mjs"
import { root } from "./records/proof.mjs"

for (const { path, text } of pages()) {
  writeFileSync(`${root}${path}`, text)
  console.log(`wrote ${path}`)
}
