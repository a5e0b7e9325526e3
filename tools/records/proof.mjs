/** A proof is a test that somebody else can run: the file, and words of its title, which has the id of the promise before them. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** @typedef {{ readonly test: string, readonly title: string }} Proof */

export const root = fileURLToPath(new URL("../../", import.meta.url))

/** @type {Map<string, string>} */
const texts = new Map()

/** A file of the repository. @param {string} path @returns {string | undefined} */
export const textOf = (path) => {
  if (!texts.has(path) && existsSync(`${root}${path}`)) texts.set(path, readFileSync(`${root}${path}`, "utf8"))
  return texts.get(path)
}

/** The ids in the brackets of a title. @param {string} line */
const idsOf = (line) =>
  [...line.matchAll(/\[([A-Z]\d+[^\]]*)\]/g)].flatMap(([, ids = ""]) => ids.match(/\b[A-Z]\d+\b/g) ?? [])

/**
 * Why nobody could run the proof: the test has gone, or proves none of the promises any more.
 *
 * @param {Proof} proof
 * @param {ReadonlyArray<string>} ids
 * @returns {string | undefined}
 */
export const problemOf = ({ test, title }, ids) => {
  const text = textOf(test)
  if (text === undefined) return `there is no ${test}`
  const lines = text.split("\n").filter((line) => line.includes(title))
  if (lines.length === 0) return `no title in ${test} has the words ${JSON.stringify(title)}`
  return lines.some((line) => idsOf(line).some((id) => ids.includes(id)))
    ? undefined
    : `the title ${JSON.stringify(title)} in ${test} names none of ${ids.join(", ")}`
}

/** The command that runs the proof. vitest takes the words as a regular expression. @param {Proof} proof */
export const command = ({ test, title }) =>
  `npx vitest run ${test} -t "${title.replace(/^.*\] /, "").trim().replaceAll(/[^\w\s,;:'/-]/g, ".")}"`
