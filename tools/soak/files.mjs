/**
 * What is left in the folders of a soak after everything has ended.
 */
import { readdirSync, statSync } from "node:fs"
import { join, relative } from "node:path"

/** What the state folder keeps on purpose, for the next program. */
const kept = [/^session-key/, /^sessions\b/, /^servers\b/, /^temperaments\b/]

/** @param {string} folder @returns {Array<string>} */
const filesIn = (folder) => {
  try {
    return readdirSync(folder, { recursive: true }).map(String).filter((name) =>
      !statSync(join(folder, name)).isDirectory()
    )
  } catch {
    // There was none.
    return []
  }
}

/** What a process leaves that is killed while it writes; who lists the folder removes it after ten minutes. */
const unfinished = /\.tmp$/

/** @param {string} folder of the soak @param {string} door @param {number} killed how many processes of Lifeline were killed there */
export const left = (folder, door, killed) => {
  const tmp = filesIn(join(folder, "tmp", door)).map((name) => `a temporary file: ${name}`)
  const states = readdirSync(join(folder, "state")).filter((name) => name === door || name.startsWith(`${door}-`))
  const state = states.flatMap((name) =>
    filesIn(join(folder, "state", name)).filter((file) => !kept.some((pattern) => pattern.test(file)))
      .map((file) => `in the state folder: ${relative(folder, join(folder, "state", name, file))}`)
  )
  const halves = state.filter((file) => unfinished.test(file))
  return [...tmp, ...state.filter((file) => !unfinished.test(file)), ...halves.slice(killed)]
}
