/**
 * How long a fault of a server, its network or its sessions lasts for a client, beside published clients: see `recovery/options.mjs`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { each } from "../run.mjs"
import * as common from "./common.mjs"
import { killAll, measure } from "./recovery/cell.mjs"
import { faultOf } from "./recovery/faults.mjs"
import * as Figures from "./recovery/figures.mjs"
import * as Options from "./recovery/options.mjs"
import { installed, versionOf } from "./recovery/packages.mjs"
import * as Rows from "./recovery/rows.mjs"
import { semaphore } from "./recovery/schedule.mjs"

const options = Options.read(process.argv.slice(2), await Rows.all())
const { jobs, json, record, runs, timeout, verbose, within } = options
const { left, rows } = await installed(options.rows, (text) => console.error(text))
// Costs each start of Node.js about 90 ms, and only some clients pass it on to servers.
delete process.env["NODE_EXTRA_CA_CERTS"]

/** @typedef {import("./recovery/faults.mjs").FaultName} FaultName */
/** @typedef {import("./recovery/cell.mjs").Result} Result */
/** @typedef {import("./recovery/cell.mjs").Scene & { readonly id: string, readonly name: string }} Scene */
/** @typedef {{ readonly scene: Scene, readonly row: Rows.Row, readonly run: number }} Cell */

/** @param {FaultName} name @returns {ReadonlyArray<Scene>} */
const scenesOf = (name) =>
  options.protocols.flatMap((protocol) => {
    const fault = faultOf(name)
    if (fault.sessions === true && protocol === "2026") return []
    const transports = options.transports.filter((transport) => fault.transports.includes(transport))
    return transports.map((transport) => ({
      id: [name, transport, ...protocol === "2025" ? [] : ["2026-07-28"]].join("/"),
      name: [name, transport, ...protocol === "2025" ? [] : ["2026-07-28"]].join(", "),
      fault,
      transport,
      protocol
    }))
  })
const scenes = options.faults.flatMap(scenesOf)
/** @type {ReadonlyArray<Cell>} */
const cells = Array.from({ length: runs }, (_, run) =>
  scenes.flatMap((scene) => {
    const speaking = rows.filter((row) => Rows.speaks(row, scene.transport, scene.protocol))
    // Who is first in a run is last in the next.
    return (run % 2 === 0 ? speaking : speaking.toReversed()).map((row) => ({ scene, row, run }))
  })).flat()

/** @param {Scene} scene @param {Rows.Row} row */
const keyOf = (scene, row) => `${scene.name}: ${row.id}`

const folder = mkdtempSync(join(tmpdir(), "recovery-"))
process.once("exit", () => {
  killAll()
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => process.exit(1))

const startedAt = performance.now()
/** @type {Map<string, Array<Result>>} */
const results = new Map()
/** @type {Array<string>} */
const failures = []
const cores = semaphore(availableParallelism())
let done = 0

await each(cells, jobs, async (cell) => {
  const key = keyOf(cell.scene, cell.row)
  /** @param {string} text */
  const log = (text) => verbose && console.error(`${key}: ${text}`)
  const once = () =>
    measure(cell.row, cell.scene, {
      timeoutMs: timeout * 1000,
      within: within * 1000,
      cores,
      folder,
      published: true,
      log
    })
  const said = await once().catch(once).then((result) => {
    results.set(key, [...results.get(key) ?? [], result])
    for (const call of result.calls) log(JSON.stringify(call))
    const back = result.back === undefined ? `not back in ${within} s` : `back after ${common.round(result.back, 0)} ms`
    return [back, `${result.failed} failed`, `${result.hung} hung`, ...result.notes].join(", ")
  }, (/** @type {Error} */ error) => {
    if (cell.row.isLifeline) throw new Error(`${key} could not be measured`, { cause: error })
    failures.push(`${key}: not measured: ${error.message}`)
    return `not measured: ${error.message}`
  })
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.error(`${++done} of ${cells.length}, ${seconds} s: run ${cell.run + 1}, ${key}: ${said}`)
})

/** @param {Scene} scene @returns {ReadonlyArray<Figures.Measured>} */
const measured = (scene) =>
  rows.flatMap((row) => {
    const cells = results.get(keyOf(scene, row)) ?? []
    return cells.length === 0 ? [] : [{ name: row.name, isLifeline: row.isLifeline, cells }]
  })

const parts = scenes.map((scene) => ({
  id: scene.id,
  title: `${scene.name}: ${scene.fault.what}`,
  rows: Figures.table(measured(scene), within * 1000),
  beaten: Figures.beaten(measured(scene)).map(({ better, figure, name, of, ours }) => ({
    name: `${scene.name}: ${name}`,
    figures: { "figure": figure, "Lifeline": ours, "better": better, "of": of }
  }))
}))
const clients = [...new Map(rows.map(({ client }) => [client.id, client])).values()]
const notes = [
  `The caller gives each call ${timeout} s, and calls again 100 ms after an error. A call that has no answer by then is hung; failed, hung and what is left are the worst of the runs.`,
  `"best in": the best of the table, where clients differ. Times that overlap, or differ by less than 10 % or 30 ms, are equal.`,
  `${jobs} clients are measured at a time; at most ${availableParallelism()} of them start or come back in the same moment, and others wait.`,
  ...clients.map((client) =>
    `${client.name}: ${client.package} ${versionOf(client)}, set up as in ${client.documentation}`
  ),
  ...left,
  ...failures
]
if (record !== undefined) {
  const raw = Object.fromEntries(results)
  writeFileSync(
    record,
    `${JSON.stringify({ date: new Date().toISOString(), timeout, within, results: raw }, null, 1)}\n`
  )
}
common.reportParts({ json, parts, notes })
// Node.js 24 may wait for ever for the end of a socket to a process that was killed.
process.stdout.write("", () => process.exit())
