/**
 * The rows of the tables: each client alone, and behind the doors of Lifeline.
 */
import { readdirSync } from "node:fs"

/** @typedef {import("./client.js").Client} Client */
/**
 * How a client gets to its server: alone, over Lifeline's transport, or through `wrap` or `serve`.
 *
 * @typedef {"alone" | "transport" | "wrap" | "serve"} Door
 */
/**
 * @typedef {object} Row
 * @property {string} id what `--clients` calls it: that of the client, and `+` with a door of Lifeline
 * @property {string} name
 * @property {Client} client
 * @property {string} module
 * @property {Door} door
 * @property {boolean} isLifeline
 */

const folder = new URL("clients/", import.meta.url)

/** The clients come in this order, and then those that others wrote. */
const first = ["official-v1", "official-v2", "naive"]

/** @param {string} id */
const rank = (id) => id === "lifeline" ? 100 : first.includes(id) ? first.indexOf(id) : 50

const load = async () => {
  const files = readdirSync(folder).filter((file) => file.endsWith(".mjs"))
  const modules = files.map((file) => new URL(file, folder).href)
  const clients = await Promise.all(modules.map(async (module) => {
    /** @type {{ readonly client: Client }} */
    const { client } = await import(module)
    return { client, module }
  }))
  return clients.toSorted((a, b) => rank(a.client.id) - rank(b.client.id) || (a.client.id < b.client.id ? -1 : 1))
}

/** @param {Client} client @param {string} module @param {Door} door @returns {Row} */
export const rowOf = (client, module, door) => ({
  id: door === "alone" ? client.id : `${client.id}+${door}`,
  name: door === "alone"
    ? client.name
    : `${client.name} ${door === "transport" ? "over supervisedTransport" : `through ${door}`}`,
  client,
  module,
  door,
  isLifeline: door !== "alone" || client.id === "lifeline"
})

/** Every row that there can be. */
export const all = async () =>
  (await load()).flatMap(({ client, module }) => {
    /** @type {ReadonlyArray<Door>} */
    const doors = client.id === "lifeline"
      ? ["alone"]
      : [
        "alone",
        ...client.underLifeline === undefined ? [] : /** @type {const} */ (["transport"]),
        ...client.transports.includes("stdio") ? /** @type {const} */ (["wrap"]) : [],
        ...client.transports.includes("http") ? /** @type {const} */ (["serve"]) : []
      ]
    return doors.map((door) => rowOf(client, module, door))
  })

/** Those that are measured unless somebody asks for others: `wrap` and `serve` do the same for whoever is before them. @param {Row} row */
export const isDefault = ({ client, door }) => door === "alone" || door === "transport" || client.id === "official-v1"

/**
 * Whether a row can be measured with such a server: each door of Lifeline speaks everything.
 *
 * @param {Row} row
 * @param {"stdio" | "http"} transport
 * @param {import("./client.js").Protocol} protocol
 */
export const speaks = ({ client, door }, transport, protocol) =>
  door !== "alone" || (client.transports.includes(transport) && (client.protocols ?? ["2025"]).includes(protocol))
