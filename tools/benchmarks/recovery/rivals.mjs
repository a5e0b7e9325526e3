/**
 * The published clients as they are installed: imported from there, since the workspace has none of them.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { directory } from "./rivals/install.mjs"

/** @param {string} name @returns {{ readonly version: string, readonly engines?: { readonly node?: string } }} */
const manifestOf = (name) => {
  try {
    return JSON.parse(readFileSync(join(directory, "node_modules", name, "package.json"), "utf8"))
  } catch {
    throw new Error(`${name} is not installed: run node tools/benchmarks/recovery/rivals/install.mjs`)
  }
}

/** The version of an installed client. @param {string} name as `rivals/package.json` calls it */
export const versionOf = (name) => manifestOf(name).version

/** Whether a range of Node.js that packages name (`>=22.13.0`, `^20.19.0 || >=22.12.0`) has the one that runs this. @param {string} range */
const runsHere = (range) => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  return range.split("||").some((part) => {
    const [, sign, least = "0", more = "0"] = /^\s*(\^|>=)\s*v?(\d+)(?:\.(\d+))?/.exec(part) ?? []
    return sign === undefined ||
      (major === Number(least) ? minor >= Number(more) : sign === ">=" && major > Number(least))
  })
}

/** Why a client cannot run here; undefined if it can. @param {string} name as `rivals/package.json` calls it */
export const refusal = (name) => {
  const node = manifestOf(name).engines?.node
  return node === undefined || runsHere(node)
    ? undefined
    : `it needs Node.js ${node}, and this is ${process.version} (npx -y -p node@24 -- node tools/benchmarks/recovery.mjs)`
}

/** Imports a module of an installed client. @param {string} specifier @returns {Promise<any>} */
export const load = async (specifier) => {
  const { load } = await import(pathToFileURL(join(directory, "load.mjs")).href)
  return load(specifier)
}
