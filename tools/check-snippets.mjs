// Type-checks the examples that users copy. Each ts block of the Markdown pages and each @example of a docstring becomes
// a module in the examples package, or for Effect 4 in its package, which resolves the packages' built declarations as a user's project does. A module
// keeps its lines' numbers, so that what the compiler says points into the page. js blocks are only parsed here: they may import
// what is not installed. Each block of a page has to be a program, which check-installed.mjs runs, or to say why it is not run.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as frameworks from "./frameworks.mjs"
import { installs } from "./programs.mjs"
import { capture } from "./run.mjs"
import { blocks, blocksOf, isCode, pages, programs, unexplained, uninstalled } from "./snippets.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))
const target = `${root}examples/build/snippets`
const targetOf4 = `${root}packages/effect4/build/snippets`

/** Whether it is for Effect 4, which no other package has. */
const isFor4 = (/** @type {Snippet} */ { code }) => code.some((one) => one.includes("@mcp-lifeline/effect4"))

const sources = readdirSync(`${root}packages`).toSorted().flatMap((name) =>
  readdirSync(`${root}packages/${name}/src`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts")).toSorted().map((file) => `packages/${name}/src/${file}`)
)

/** @typedef {{ readonly path: string, readonly line: number, readonly code: ReadonlyArray<string> }} Snippet */

/** Whether it is TypeScript. @param {import("./snippets.mjs").Block} block */
const isTyped = ({ language }) => /^(ts|typescript)$/.test(language)

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
    if (isFenced) {
      found.push(...blocks(path, code).filter(isTyped).map((block) => ({ ...block, line: line + block.line })))
    } else found.push({ path, line, code })
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

const code = pages.flatMap(blocksOf).filter(isCode)
const snippets = [
  ...code.filter(isTyped),
  ...sources.flatMap((path) => examples(path, readFileSync(`${root}${path}`, "utf8")))
]
for (const { code, line, path } of snippets) {
  if (code.every((one) => one.trim() === "")) throw new Error(`${path}:${line}: an example without code`)
}

for (const folder of [target, targetOf4]) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}
/** @type {Map<string, string>} */
const origins = new Map()
const write =
  (/** @type {string} */ folder, /** @type {string} */ extension) => (/** @type {Snippet} */ { code, line, path }) => {
    const name = `${path.replaceAll("/", "__")}__${line}.${extension}`
    origins.set(name, path)
    writeFileSync(`${folder}/${name}`, `${"\n".repeat(line)}${code.join("\n")}\n`)
  }
snippets.filter((one) => !isFor4(one)).forEach(write(target, "ts"))
snippets.filter(isFor4).forEach(write(targetOf4, "ts"))
const scripts = code.filter((block) => !isTyped(block))
scripts.forEach(write(target, "mjs"))

for (const folder of [target, targetOf4]) {
  writeFileSync(
    `${folder}/tsconfig.json`,
    JSON.stringify({
      extends: `${root}tsconfig.base.json`,
      compilerOptions: {
        types: ["node"],
        allowJs: true,
        noEmit: true,
        composite: false,
        incremental: false,
        declaration: false,
        declarationMap: false,
        noUnusedLocals: false,
        noUnusedParameters: false
      },
      include: ["."]
    })
  )
  const output = await capture("tsc", ["-p", folder, "--pretty", "false"], { cwd: folder }).then(
    () => "",
    (/** @type {Error} */ error) => error.message
  )
  if (output !== "") {
    console.error(output.replaceAll(/^\S*?([^/\s]+__\d+\.m?[jt]s)\(/gm, (all, name) => `${origins.get(name) ?? all}(`))
    process.exitCode = 1
  }
}
const problems = [
  ...code.flatMap(unexplained),
  ...pages.flatMap(programs).flatMap((program) =>
    uninstalled(program).map((name) => `${program.path}:${program.line}: the page does not say to install ${name}`)
  ),
  ...[...frameworks.versions].filter(([name, version]) => (installs[name] ?? version) !== version).map(([name]) =>
    `docs/tasks/frameworks.md: we run ${name} in version ${installs[name]}; correct the version on the page`
  )
]
for (const problem of problems) {
  console.error(problem)
  process.exitCode = 1
}
const all = [...snippets, ...scripts]
console.log(`${all.length} examples of ${new Set(all.map(({ path }) => path)).size} files`)
