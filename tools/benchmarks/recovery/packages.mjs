/**
 * The packages that are measured: which are there, and in which version.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import * as Rivals from "./rivals.mjs"
import { install } from "./rivals/install.mjs"

/** @typedef {import("./client.js").Client} Client */
/** @typedef {import("./rows.mjs").Row} Row */

const workspace = createRequire(import.meta.url)

/** @param {Client} client @returns {string} */
export const versionOf = (client) => {
  if (client.rival === true) return Rivals.versionOf(client.package)
  // Not every package exports its package.json.
  for (const folder of workspace.resolve.paths(client.package) ?? []) {
    try {
      return JSON.parse(readFileSync(join(folder, client.package, "package.json"), "utf8")).version
    } catch {
      // It is in the next folder.
    }
  }
  return "unknown"
}

/** Why a client cannot be measured here. @param {Client} client */
const refusal = ({ package: name, rival }) => rival === true ? Rivals.refusal(name) : undefined

/**
 * Installs what rows need; those of clients that cannot be installed, or not run here, are left out.
 *
 * @param {ReadonlyArray<Row>} rows
 * @param {(text: string) => void} say
 * @returns {Promise<{ readonly rows: ReadonlyArray<Row>, readonly left: ReadonlyArray<string> }>}
 */
export const installed = async (rows, say) => {
  if (rows.every(({ client }) => client.rival !== true)) return { rows, left: [] }
  try {
    await install(say)
  } catch (error) {
    const why = /** @type {Error} */ (error).message
    return {
      rows: rows.filter(({ client }) => client.rival !== true),
      left: [`Published clients are left out: ${why}`]
    }
  }
  const clients = [...new Set(rows.map(({ client }) => client))]
  const refusals = new Map(clients.map((client) => [client, refusal(client)]))
  return {
    rows: rows.filter(({ client }) => refusals.get(client) === undefined),
    left: [...refusals].flatMap(([{ name }, why]) => why === undefined ? [] : [`${name} is left out: ${why}`])
  }
}
