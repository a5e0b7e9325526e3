/** Which of the SDK's test files use its Client, by themselves or through a helper: only there, something of ours can be in its place. */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** @param {string} source as a test imports it */
export const isClient = (source) => source.endsWith("/src/client/index.js")

/**
 * @param {string} folder of the checkout
 * @param {ReadonlyArray<string>} files its test files
 * @returns {ReadonlyArray<string>}
 */
export const withClient = (folder, files) => {
  /** @type {Map<string, boolean>} */
  const known = new Map()
  /** @param {string} file @returns {boolean} */
  const uses = (file) => {
    const found = known.get(file)
    if (found !== undefined) return found
    known.set(file, false)
    const imports = [
      ...readFileSync(file, "utf8").matchAll(/^(?!import type)(?:import|export|\})[^;]*from '(\.[^']+)';/gm)
    ]
      .map(([, path = ""]) => path)
    const helpers = imports.map((path) => join(dirname(file), path.replace(/js$/, "ts")))
      .filter((path) => path.startsWith(`${folder}/test/`) && existsSync(path))
    const does = imports.some(isClient) || helpers.some(uses)
    known.set(file, does)
    return does
  }
  return files.filter((file) => uses(join(folder, file)))
}
