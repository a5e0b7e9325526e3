/**
 * The code on Markdown pages: fenced blocks, and the programs among them. A block that says in comments what it prints (`// → hello`)
 * is a program, and is run. Its first line may be a comment with the name of its file (`// hello.mjs`). For a block that cannot be
 * run, a comment before it says why: `<!-- not run: it needs an account -->`.
 */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))

/** The pages whose code users copy: their paths from the root. @type {ReadonlyArray<string>} */
export const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(`${root}docs`, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md")).toSorted()
    .map((name) => `docs/${name}`),
  ...readdirSync(`${root}packages`).toSorted().map((name) => `packages/${name}/README.md`)
]

/**
 * @typedef {object} Block
 * @property {string} path of the page, from the root
 * @property {number} line of the opening fence
 * @property {string} language
 * @property {ReadonlyArray<string>} code
 * @property {string | undefined} reason why it is not run
 */

/**
 * The fenced blocks of a text.
 *
 * @param {string} path
 * @param {ReadonlyArray<string>} lines
 * @returns {Array<Block>}
 */
export const blocks = (path, lines) => {
  /** @type {Array<Block>} */
  const found = []
  /** @type {{ readonly fence: string, readonly language: string, readonly line: number, readonly code: Array<string> } | undefined} */
  let open
  for (const [index, text] of lines.entries()) {
    const fence = /^\s*(`{3,})\s*(\S*)\s*$/.exec(text)
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1] ?? "", language: fence[2] ?? "", line: index + 1, code: [] }
    } else if (fence !== null && fence[1] === open.fence && fence[2] === "") {
      const before = lines.slice(0, open.line - 1).findLast((one) => one.trim() !== "")
      const reason = /^<!-- not run: (.+) -->$/.exec(before ?? "")?.[1]
      found.push({ path, line: open.line, language: open.language, code: open.code, reason })
      open = undefined
    } else {
      open.code.push(text)
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: a block without an end`)
  return found
}

/** The blocks of a page. @param {string} path */
export const blocksOf = (path) => blocks(path, readFileSync(`${root}${path}`, "utf8").split("\n"))

/** Whether it is TypeScript or JavaScript. @param {Block} block */
export const isCode = ({ language }) => /^([mc]?[jt]s|typescript|javascript)$/.test(language)

/** What a block says that it prints. @param {Block} block */
export const printsOf = ({ code }) => code.flatMap((one) => /^\s*\/\/ → (.*)$/.exec(one)?.[1] ?? [])

/**
 * What is wrong with a block of code that is neither run nor excused, or both.
 *
 * @param {Block} block
 * @returns {ReadonlyArray<string>}
 */
export const unexplained = (block) => {
  const { line, path, reason } = block
  const isRun = printsOf(block).length > 0
  if (!isCode(block) || isRun === (reason === undefined)) return []
  return [
    isRun
      ? `${path}:${line}: this block is run; remove "not run: ${reason}"`
      : `${path}:${line}: this block is not run. Say in it what it prints (\`// → hello\`), or say before it why it cannot be run `
        + "(`<!-- not run: it needs an account -->`)"
  ]
}

/** @typedef {{ readonly path: string, readonly line: number, readonly name: string, readonly text: string, readonly prints: ReadonlyArray<string> }} Program */

/**
 * The programs on a page.
 *
 * @param {string} path
 * @returns {Array<Program>}
 */
export const programs = (path) =>
  blocksOf(path).flatMap((block) => {
    const prints = printsOf(block)
    if (!isCode(block) || prints.length === 0) return []
    const { code, language, line } = block
    const [, name] = /^\/\/ ([\w.-]+\.[mc]?[jt]s)$/.exec(code[0] ?? "") ?? []
    return [{
      path,
      line,
      name: name ?? `line-${line}.${language.startsWith("t") ? "ts" : "mjs"}`,
      text: `${code.join("\n")}\n`,
      prints
    }]
  })

const packageOf = (/** @type {string} */ name) => /^(?:@[^/]+\/)?[^/@]+/.exec(name)?.[0] ?? name

/** The packages, and modules of Node.js, that a program imports. @param {string} text */
export const importsOf = (text) => [
  ...new Set(
    [...text.matchAll(/\b(?:from|import|require\()\s*["']([^"'.][^"']*)["']/g)].map(([, name = ""]) => packageOf(name))
  )
]

/** The packages that a page says to install, from npm or packed. @param {string} path */
export const installsOf = (path) => {
  const text = readFileSync(`${root}${path}`, "utf8")
  const names = text.matchAll(/npm install (?:--save-dev )?((?:[\w@][\w@./-]* ?)+)/g)
  const packed = text.matchAll(/\/packed\/mcp-lifeline-([a-z-]+)-\d/g)
  return [
    ...[...names].flatMap(([, some = ""]) => some.trim().split(" ").map(packageOf)),
    ...[...packed].map(([, name]) => `@mcp-lifeline/${name}`)
  ]
}

/** What a program imports without the page saying to install it, if it says what to install. @param {Program} program */
export const uninstalled = ({ path, text }) => {
  const installed = installsOf(path)
  return installed.length === 0
    ? []
    : importsOf(text).filter((name) => !name.startsWith("node:") && !installed.includes(name))
}
