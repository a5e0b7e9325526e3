/**
 * Keeps the packages small: none may have more lines or files of source, or words of comment to a line of code, than stands here. What makes
 * one smaller lowers its numbers; what needs more raises them, and its commit says what the growth buys. Prints what there is.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** @typedef {readonly [lines: number, files: number, words: number]} Size */

/** The goal of core is 11,500 lines, 95 files and 1.2 words. @type {Readonly<Record<string, Size>>} */
const most = {
  cluster: [6335, 53, 2.4],
  config: [2419, 20, 2.03],
  core: [15733, 155, 1.85],
  effect4: [1043, 12, 3.06],
  extensions: [2125, 22, 2],
  gateway: [24796, 230, 1.77],
  "http-server": [6477, 56, 2.24],
  opentelemetry: [1526, 17, 1.49],
  promise: [4402, 44, 2.85],
  protocol: [6321, 64, 2.29],
  "sign-in": [3143, 32, 2.12],
  state: [1655, 16, 3],
  testing: [2204, 15, 2.5],
  "transport-http": [5196, 40, 2.06],
  "transport-stdio": [4407, 37, 2.43]
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

/** @param {string} name @returns {Size} */
const sizeOf = (name) => {
  const files = readdirSync(join(packages, name, "src"), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
    .map((entry) => measured(readFileSync(join(entry.parentPath, entry.name), "utf8")))
  /** @param {"lines" | "code" | "words"} what */
  const sum = (what) => files.reduce((total, one) => total + one[what], 0)
  return [sum("lines"), files.length, Math.round(100 * sum("words") / sum("code")) / 100]
}

let failed = false
for (const name of readdirSync(packages).toSorted()) {
  const size = sizeOf(name)
  const limits = most[name] ?? [0, 0, 0]
  const units = ["lines", "files", "words of comment to a line of code"]
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
