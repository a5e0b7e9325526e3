/**
 * The code on Markdown pages: fenced blocks, and the programs among them. A block whose first line is a comment with a file's
 * name (`// hello.mjs`) is that file; where it says in comments what it prints (`// → hello`), it is a program that is run.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))

/**
 * @typedef {object} Block
 * @property {string} path of the page, from the root
 * @property {number} line of the opening fence
 * @property {string} language
 * @property {ReadonlyArray<string>} code
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
      found.push({ path, line: open.line, language: open.language, code: open.code })
      open = undefined
    } else {
      open.code.push(text)
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: a block without an end`)
  return found
}

/** @typedef {{ readonly place: string, readonly name: string, readonly text: string, readonly prints: ReadonlyArray<string> | undefined }} File */

/**
 * The files on a page.
 *
 * @param {string} path
 * @returns {Array<File>}
 */
export const files = (path) =>
  blocks(path, readFileSync(`${root}${path}`, "utf8").split("\n")).flatMap(({ code, line }) => {
    const [, name] = /^\/\/ ([\w.-]+\.(?:[mc]?[jt]s|json))$/.exec(code[0] ?? "") ?? []
    if (name === undefined) return []
    const prints = code.flatMap((one) => /^\s*\/\/ → (.*)$/.exec(one)?.[1] ?? [])
    return [{
      place: `${path}:${line}`,
      name,
      text: `${code.join("\n")}\n`,
      prints: prints.length > 0 ? prints : undefined
    }]
  })
