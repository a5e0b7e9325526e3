/**
 * Keeps the packages small: none may have more lines or files of source, words of comment to a line of code, or lines of tests than stands here. What
 * makes one smaller lowers its numbers; what needs more raises them, and its commit says what the growth buys. Prints what there is.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** @typedef {readonly [lines: number, files: number, words: number, tests: number]} Size */

/** The goal of core is 11,500 lines, 95 files and 1.2 words. @type {Readonly<Record<string, Size>>} */
const most = {
  cluster: [5192, 51, 1.28, 7869],
  config: [1993, 18, 1.21, 654],
  core: [14328, 134, 1.29, 23601],
  effect4: [1144, 13, 2.06, 1769],
  extensions: [1827, 21, 1.38, 2410],
  gateway: [20679, 216, 1, 37677],
  "http-server": [5595, 50, 1.24, 8775],
  opentelemetry: [1453, 17, 0.96, 932],
  promise: [4176, 44, 2.13, 5582],
  protocol: [5828, 65, 1.34, 4739],
  "sign-in": [2768, 31, 1.24, 4982],
  state: [1495, 16, 2.11, 2178],
  testing: [2100, 15, 1.69, 3494],
  "transport-http": [4885, 40, 1.27, 8774],
  "transport-stdio": [3557, 31, 1.37, 6388]
}

const packages = fileURLToPath(new URL("../packages", import.meta.url))

/** @param {string} text */
const measured = (text) => {
  const lines = text.split("\n").slice(0, -1)
  const comments = lines.filter((line) => /^\s*(\/\*|\*[\s/]|\*$|\/\/)/.test(line))
  const words = comments.join("\n").match(/[^\s*/]+/g) ?? []
  const empty = lines.filter((line) => line === "")
  return { lines: lines.length, code: lines.length - comments.length - empty.length, words: words.length }
}

/** The files of a folder, without what tests have built. @param {string} folder @param {RegExp} kind */
const all = (folder, kind) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) =>
      entry.isFile() && kind.test(entry.name) && !/[/\\]build\b/.test(entry.parentPath.slice(folder.length))
    )
    .map((entry) => measured(readFileSync(join(entry.parentPath, entry.name), "utf8")))

/** @param {string} name @returns {Size} */
const sizeOf = (name) => {
  const source = all(join(packages, name, "src"), /\.[cm]?tsx?$/)
  const tests = all(join(packages, name, "test"), /\.[cm]?[jt]sx?$/)
  /** @param {"lines" | "code" | "words"} what */
  const sum = (what, of = source) => of.reduce((total, one) => total + one[what], 0)
  return [sum("lines"), source.length, Math.round(100 * sum("words") / sum("code")) / 100, sum("lines", tests)]
}

let failed = false
for (const name of readdirSync(packages).toSorted()) {
  const size = sizeOf(name)
  const limits = most[name] ?? [0, 0, 0, 0]
  const units = ["lines", "files", "words of comment to a line of code", "lines of tests"]
  const over = size.flatMap((value, i) => value > (limits[i] ?? 0) ? [`at most ${limits[i]} ${units[i]}`] : [])
  failed ||= over.length > 0
  console.log(`${name.padEnd(16)}${size.map((value) => String(value).padStart(8)).join("")}  ${over.join(", ")}`)
}
if (failed) {
  console.error(
    "Make it smaller, or raise its number in tools/check-sizes.mjs and say in the commit what the growth buys."
  )
}
process.exit(failed ? 1 : 0)
