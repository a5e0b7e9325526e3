/**
 * `pnpm build pictures`: draws the pictures of `docs/images/benchmarks`, and fills in the tables of pages, from the figures in `docs/benchmarks`.
 *
 *     node tools/benchmarks/pictures.mjs [--from build/bench/FILE.json]..
 *
 * `--from` takes over what `pnpm bench` has written: the figures of each part of a benchmark in it replace those that were kept. It fails if
 * a page then says in words what the figures do not show; everything is written all the same.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { broken } from "./pictures/claims.mjs"
import { made } from "./pictures/pages.mjs"
import { read, root, take } from "./pictures/records.mjs"

const { from = [] } = parseArgs({ options: { from: { type: "string", multiple: true } } }).values
for (const file of from) {
  const { refused, taken } = take(resolve(file))
  if (taken.length > 0) console.log(`${file}: ${taken.join(", ")}`)
  if (refused.length > 0) {
    console.error(`${file}: a quick run, which does not replace a measurement of ${refused.join(", ")}`)
  }
}
const records = read()
const files = Object.entries(made(records))
for (const [path, text] of files) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
console.log(`${files.filter(([path]) => path.endsWith(".svg")).length} pictures; ${files.length} files`)
const wrong = broken(records, (page) => readFileSync(join(root, page), "utf8"))
for (const line of wrong) console.error(line)
if (wrong.length > 0) process.exitCode = 1
