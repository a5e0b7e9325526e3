// Type-checks the examples that users copy. Each ts block of the Markdown pages and each @example of a docstring becomes
// a module in the examples package, which resolves the packages' built declarations as a user's project does. A module
// keeps its lines' numbers, so that what the compiler says points into the page.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { capture } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))
const target = `${root}examples/build/snippets`

/**
 * @param {string} directory
 * @param {string} suffix
 * @param {boolean} recursive
 */
const list = (directory, suffix, recursive) =>
  existsSync(`${root}${directory}`)
    ? readdirSync(`${root}${directory}`, { recursive, encoding: "utf8" })
      .filter((name) => name.endsWith(suffix)).toSorted().map((name) => `${directory}/${name}`)
    : []

const packages = readdirSync(`${root}packages`).toSorted().map((name) => `packages/${name}`)
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...list("docs", ".md", true),
  ...packages.map((directory) => `${directory}/README.md`)
].filter((path) => existsSync(`${root}${path}`))
const sources = packages.flatMap((directory) => list(`${directory}/src`, ".ts", true))

/** @typedef {{ readonly path: string, readonly line: number, readonly code: ReadonlyArray<string> }} Snippet */

/**
 * The fenced ts blocks of a page.
 *
 * @param {string} path
 * @param {ReadonlyArray<string>} lines
 * @returns {Array<Snippet>}
 */
const blocks = (path, lines) => {
  /** @type {Array<Snippet>} */
  const found = []
  /** @type {{ readonly fence: string, readonly isTs: boolean, readonly line: number, readonly code: Array<string> } | undefined} */
  let open
  for (const [index, text] of lines.entries()) {
    const fence = /^\s*(`{3,})\s*(\S*)\s*$/.exec(text)
    if (open === undefined) {
      if (fence !== null) {
        const language = fence[2] ?? ""
        open = {
          fence: fence[1] ?? "",
          isTs: language === "ts" || language === "typescript",
          line: index + 1,
          code: []
        }
      }
    } else if (fence !== null && fence[1] === open.fence && fence[2] === "") {
      if (open.isTs) found.push({ path, line: open.line, code: open.code })
      open = undefined
    } else {
      open.code.push(text)
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: a block without an end`)
  return found
}

/**
 * The `@example`s of a module's docstrings: their ts blocks, or all their text when they have no fence.
 *
 * @param {string} path
 * @param {string} text
 * @returns {Array<Snippet>}
 */
const examples = (path, text) => {
  const lines = text.split("\n")
  /** @type {Array<Snippet>} */
  const found = []
  /** @type {{ readonly line: number, readonly code: Array<string> } | undefined} */
  let open
  let isDocstring = false
  const close = () => {
    if (open === undefined) return
    const { code, line } = open
    const isFenced = code.some((one) => one.trimStart().startsWith("```"))
    if (isFenced) found.push(...blocks(path, code).map((block) => ({ ...block, line: line + block.line })))
    else found.push({ path, line, code })
    open = undefined
  }
  for (const [index, line] of lines.entries()) {
    if (/^\s*\/\*\*/.test(line)) isDocstring = true
    if (!isDocstring) continue
    const isEnd = line.includes("*/")
    const content = line.replace(/\*\/.*$/, "").replace(/^(\s*)\/?\*+ ?/, (prefix) => " ".repeat(prefix.length))
    if (/^\s*@example\b/.test(content)) {
      close()
      open = { line: index + 1, code: [] }
    } else if (/^\s*@[a-z]+\b/i.test(content) && !open?.code.some((one) => one.includes("```"))) {
      close()
    } else if (open !== undefined) {
      open.code.push(content)
    }
    if (isEnd) {
      close()
      isDocstring = false
    }
  }
  return found
}

const snippets = [
  ...pages.flatMap((path) => blocks(path, readFileSync(`${root}${path}`, "utf8").split("\n"))),
  ...sources.flatMap((path) => examples(path, readFileSync(`${root}${path}`, "utf8")))
]
for (const { code, line, path } of snippets) {
  if (code.every((one) => one.trim() === "")) throw new Error(`${path}:${line}: an example without code`)
}

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
/** @type {Map<string, string>} */
const origins = new Map()
for (const { code, line, path } of snippets) {
  const name = `${path.replaceAll("/", "__")}__${line}.ts`
  origins.set(name, path)
  writeFileSync(`${target}/${name}`, `${"\n".repeat(line)}${code.join("\n")}\n`)
}
writeFileSync(
  `${target}/tsconfig.json`,
  JSON.stringify({
    extends: "../../../tsconfig.base.json",
    compilerOptions: {
      types: ["node"],
      noEmit: true,
      composite: false,
      incremental: false,
      declaration: false,
      declarationMap: false,
      noUnusedLocals: false,
      noUnusedParameters: false
    },
    files: [...origins.keys()]
  })
)

if (snippets.length > 0) {
  const output = await capture("tsc", ["-p", target, "--pretty", "false"], { cwd: target }).then(
    () => "",
    (/** @type {Error} */ error) => error.message
  )
  if (output !== "") {
    console.error(output.replaceAll(/^\S*?([^/\s]+__\d+\.ts)\(/gm, (all, name) => `${origins.get(name) ?? all}(`))
    process.exitCode = 1
  }
}
console.log(`${snippets.length} examples of ${new Set(snippets.map(({ path }) => path)).size} files`)
