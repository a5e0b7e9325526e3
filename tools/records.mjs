#!/usr/bin/env node
/**
 * Makes the generated parts of docs/robustness.md and docs/compatibility.md from their data.
 *
 *     node tools/records.mjs               writes the pages
 *     node tools/records.mjs --soak FILE   keeps the report of `pnpm test:release soak --json FILE` in docs/soak, and writes the pages
 *     node tools/records.mjs --conformance keeps what `pnpm test:release conformance` found last in docs/compatibility, and writes the pages
 *     node tools/records.mjs --sdk         keeps what `pnpm test:release sdk` found last in docs/compatibility, and writes the pages
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Conformance from "./records/conformance.mjs"
import { pages } from "./records/pages.mjs"
import { root } from "./records/proof.mjs"
import * as SdkTests from "./records/sdkTests.mjs"
import * as Soak from "./records/soak.mjs"

const { values } = parseArgs({
  options: { soak: { type: "string" }, conformance: { type: "boolean" }, sdk: { type: "boolean" } }
})
if (values.soak !== undefined) console.log(`kept ${Soak.keep(values.soak)}`)
if (values.conformance === true) console.log(`kept ${Conformance.keep()}`)
if (values.sdk === true) console.log(`kept ${SdkTests.keep()}`)
for (const { path, text } of pages()) {
  writeFileSync(`${root}${path}`, text)
  console.log(`wrote ${path}`)
}
