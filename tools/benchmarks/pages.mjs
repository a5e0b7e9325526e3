/**
 * `pnpm build tables`: fills in the tables of pages, from the figures in `docs/benchmarks`.
 *
 *     node tools/benchmarks/pages.mjs [--from build/bench/FILE.json]..
 *
 * `--from` takes over what `pnpm bench` has written: the figures of each part of a benchmark in it replace those that were kept.
 */
import { writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { made } from "./pages/pages.mjs"
import { read, root, take } from "./pages/records.mjs"

const { from = [] } = parseArgs({ options: { from: { type: "string", multiple: true } } }).values
for (const file of from) console.log(`${file}: ${take(resolve(file)).join(", ")}`)
const pages = Object.entries(made(read()))
for (const [path, text] of pages) writeFileSync(join(root, path), text)
console.log(`${pages.length} pages`)
