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
  cluster: [6257, 53, 2.4, 8063],
  config: [2302, 19, 1.99, 657],
  core: [15306, 152, 1.84, 23788],
  effect4: [1043, 12, 3.06, 1540],
  extensions: [2116, 22, 1.99, 2487],
  gateway: [23296, 220, 1.75, 46370],
  "http-server": [6383, 55, 2.24, 9196],
  opentelemetry: [1526, 17, 1.49, 980],
  promise: [4392, 44, 2.83, 5706],
  protocol: [6321, 64, 2.29, 4915],
  "sign-in": [2933, 31, 2.12, 6413],
  state: [1655, 16, 3, 2300],
  testing: [2204, 15, 2.5, 3666],
  "transport-http": [5196, 40, 2.06, 11053],
  "transport-stdio": [3748, 31, 2.41, 7599]
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
