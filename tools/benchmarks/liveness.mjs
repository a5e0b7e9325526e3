/**
 * Whether a server that looks dead is kept, and whether one that is dead is replaced: each behaviour of `liveness/behaviours.mjs` at each door of
 * Lifeline with its default options, and at the official Client with two usual remedies.
 *
 *     node tools/benchmarks/liveness.mjs [--only busy,frozen] [--clients connect,wrap] [--jobs 12] [--verbose yes] [--json]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { each } from "../run.mjs"
import * as common from "./common.mjs"
import { behaviours } from "./liveness/behaviours.mjs"
import { killAll, measure } from "./liveness/cell.mjs"

const { clients, jobs, json, only, verbose } = common.options({ jobs: 12 }, {}, ["only", "clients", "verbose"])

/** @typedef {import("./liveness/cell.mjs").Row} Row */
/** @type {ReadonlyArray<Row>} */
const doors = [
  { id: "connect", name: "connect", kind: "connect" },
  { id: "transport", name: "supervisedTransport", kind: "transport" },
  { id: "wrap", name: "wrap", kind: "official", door: "wrap" },
  { id: "serve", name: "serve", kind: "official", door: "serve" },
  { id: "renewed", name: "official, new Client on error", kind: "renewed" },
  { id: "confirmed", name: "official, new Client if a list fails, too", kind: "confirmed" }
]

const rows = doors.filter(({ id }) => clients?.split(",").includes(id) ?? true)
const chosen = Object.entries(behaviours).filter(([id]) => only?.split(",").includes(id) ?? true)
if (chosen.length === 0) throw new Error(`--only: there are ${Object.keys(behaviours).join(", ")}`)

const folder = mkdtempSync(join(tmpdir(), "lifeline-liveness-"))
process.once("exit", () => {
  killAll()
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => process.exit(1))

/** @typedef {{ readonly behaviour: import("./liveness/behaviours.mjs").Behaviour, readonly name: string, readonly row: Row, readonly transport: "stdio" | "http" }} Task */
/** @type {ReadonlyArray<Task>} */
const tasks = chosen.flatMap(([id, behaviour]) =>
  behaviour.transports.flatMap((transport) =>
    rows.map((row) => ({ behaviour, name: transport === "http" ? `${id}, HTTP` : id, row, transport }))
  )
)

/** By the name of the behaviour and that of the client. @type {Map<string, Record<string, string>>} */
const cells = new Map(tasks.map(({ name }) => [name, {}]))
let [wrong, done] = [0, 0]

/** @param {Row} row */
const isOurs = ({ id }) => !["renewed", "confirmed"].includes(id)

/** @param {import("./liveness/cell.mjs").Result} result @param {boolean} mustBeKept */
const inWords = ({ back, isKept, lost }, mustBeKept) =>
  [
    ...mustBeKept
      ? [isKept ? "kept" : "replaced"]
      : [back === undefined ? "no" : `${common.round(back / 1000)} s`, ...isKept ? ["not ended"] : []],
    ...lost > 0 ? [`${lost} lost`] : []
  ].join(", ")

await each(tasks, jobs, async ({ behaviour, name, row, transport }) => {
  /** @param {string} text */
  const log = (text) => verbose !== undefined && console.error(`${name}, ${row.name}: ${text}`)
  const once = () => measure(row, behaviour, transport, { folder, log })
  const words = await once().catch(once).then(
    (result) => {
      if (behaviour.isKept && !result.isKept && isOurs(row)) wrong++
      return inWords(result, behaviour.isKept)
    },
    (error) => {
      if (isOurs(row)) throw new Error(`${name}, ${row.name} could not be measured`, { cause: error })
      return String(error)
    }
  )
  Object.assign(/** @type {object} */ (cells.get(name)), { [row.name]: words })
  console.error(`${++done} of ${tasks.length}: ${name}, ${row.name}: ${words}`)
})

/** @param {boolean} isKept */
const part = (isKept) => ({
  id: isKept ? "kept" : "replaced",
  title: isKept ? "A server that must be kept" : "A server that must be replaced: when a call was good again",
  rows: [...cells].flatMap(([name, figures]) => {
    const of = behaviours[name.split(",")[0] ?? ""]
    if (of === undefined || of.isKept !== isKept) return []
    return [{ name: `${of.what}${name.endsWith("HTTP") ? ", over HTTP" : ""}`, figures: inOrder(figures) }]
  })
})

/** @param {Record<string, string>} figures */
const inOrder = (figures) => Object.fromEntries(rows.map(({ name }) => [name, figures[name] ?? ""]))

common.reportParts({
  parts: [part(true), part(false)].filter(({ rows }) => rows.length > 0),
  notes: [`Servers that must be kept and were ended by Lifeline: ${wrong}`],
  json
})
process.exit()
