#!/usr/bin/env node
/**
 * Makes the generated parts of docs/robustness.md from their data.
 *
 *     node scripts/records.mjs               writes the pages
 *     node scripts/records.mjs --soak FILE   keeps the report of `pnpm soak --json FILE` in docs/soak, and writes the pages
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { pages } from "./records/pages.mjs"
import { root } from "./records/proof.mjs"
import * as Soak from "./records/soak.mjs"

const { values } = parseArgs({ options: { soak: { type: "string" } } })
if (values.soak !== undefined) console.log(`kept ${Soak.keep(values.soak)}`)
for (const { path, text } of pages()) {
  writeFileSync(`${root}${path}`, text)
  console.log(`wrote ${path}`)
}
