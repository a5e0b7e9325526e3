/**
 * The processes of `mcp-lifeline` at a door: `serve`, or three replicas over PostgreSQL. Those of `wrap` are started by their hosts.
 */
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdirSync, openSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Postgres from "../postgres.mjs"
import { supervision } from "./clients.mjs"
import * as Processes from "./processes.mjs"

/** @typedef {import("./servers.mjs").Place} Place */
/** @typedef {import("./servers.mjs").Entry} Entry */
/** @typedef {import("./plan.mjs").Fault} Fault */
/**
 * `fail` is for replicas. `end` stops them in an orderly way and says what was wrong with that; `stop` ends what they need besides.
 *
 * @typedef {{ readonly urls: ReadonlyArray<string>, readonly fail: (fault: Fault) => Promise<void>, readonly heal: () => Promise<void>, readonly end: () => Promise<ReadonlyArray<string>>, readonly stop: () => Promise<void> }} Gateways
 */

export const probe = new URL("probe.mjs", import.meta.url).href
const program = fileURLToPath(new URL("../../packages/gateway/dist/bin.js", import.meta.url))

/** @param {Place} place */
export const heldFolder = ({ folder }) => join(folder, "held")

/** Nothing is kept where the user's own programs keep it. @param {Place} place @param {string} [state] */
export const environment = ({ door, folder, soak }, state = door) => ({
  ...Processes.marked(soak, door, "lifeline"),
  LIFELINE_SOAK_HELD: join(folder, "held"),
  MCP_LIFELINE_STATE: join(folder, "state", state),
  TMPDIR: join(folder, "tmp", door),
  NO_COLOR: "1"
})

/** How a host starts `wrap`. @param {Place} place @param {string} name @param {Entry} entry */
export const wrap = (place, name, entry) => ({
  command: process.execPath,
  args: [
    "--import",
    probe,
    program,
    "wrap",
    "--name",
    name,
    ...Object.entries(supervision).flatMap(([group, options]) =>
      Object.entries(options).flatMap(([option, value]) => ["--option", `${group}.${option}=${value}`])
    ),
    ..."url" in entry ? [entry.url] : ["--", entry.command, ...entry.args]
  ],
  // A server that `wrap` starts has its mark, too: it is known by its program.
  env: { ...environment(place), ..."url" in entry ? {} : entry.env }
})

/** @param {string} config @param {number} port @param {Record<string, string>} env @param {number} log */
const serve = async (config, port, env, log) => {
  const child = spawn(process.execPath, [
    "--import",
    probe,
    program,
    "serve",
    "--config",
    config,
    "--port",
    String(port)
  ], {
    env: { ...process.env, ...env },
    stdio: ["ignore", log, log],
    detached: true
  })
  const isUp = () => fetch(`http://127.0.0.1:${port}/mcp`, { method: "OPTIONS" }).then(() => true, () => false)
  const ended = once(child, "exit")
  const up = await Promise.race([Processes.eventually(isUp, 120_000), ended.then(() => false)])
  if (!up) throw new Error("the gateway did not start; see gateways.log")
  return { child, ended }
}

/** @param {Readonly<Record<string, Entry>>} entries @param {string} file */
const configured = (entries, file) => {
  const servers = Object.entries(entries).map((
    [name, entry]
  ) => [name, { ...entry, lifeline: { ...supervision, ...name === "own25" ? { sessions: "per-client" } : {} } }])
  writeFileSync(file, JSON.stringify({ mcpServers: Object.fromEntries(servers) }))
  return file
}

/** @param {Awaited<ReturnType<typeof serve>>} gateway @param {string} name */
const ended = async ({ child, ended }, name) => {
  child.kill("SIGTERM")
  const [code, signal] = await ended
  return code === 0 ? [] : [`${name} ended with ${code ?? signal} after SIGTERM`]
}

const nothing = { urls: [], fail: async () => {}, heal: async () => {}, end: async () => [], stop: async () => {} }

/** @param {Place} place @param {string} config @param {number} log @returns {Promise<Gateways>} */
const replicas = async (place, config, log) => {
  const databasePort = await Processes.freePort()
  const database = await Postgres.make(databasePort)()
  const key = randomBytes(32).toString("base64")
  const ports = await Promise.all([0, 1, 2].map(() => Processes.freePort()))
  const start = (/** @type {number} */ index) =>
    serve(config, ports[index] ?? 0, {
      ...environment(place, `${place.door}-${index}`),
      MCP_LIFELINE_CLUSTER: `postgres://lifeline@127.0.0.1:${databasePort}/postgres`,
      MCP_LIFELINE_SESSION_KEY: key
    }, log)
  const all = await Promise.all(ports.map((_, index) => start(index)))
  /** The replicas that are being started again, and how they end. @type {Map<number, Promise<unknown>>} */
  const changing = new Map()
  /** @type {Array<string>} */
  const wrong = []
  const settled = async () => void await Promise.all(changing.values())
  return {
    urls: ports.map((port) => `http://127.0.0.1:${port}/mcp`),
    fail: async ({ kind, millis, target }) => {
      const index = Number(target)
      const gateway = all[index]
      if (gateway === undefined || changing.size > 0) return
      const change = async () => {
        if (kind === "stopReplica") {
          gateway.child.kill("SIGSTOP")
          await sleep(millis)
          gateway.child.kill("SIGCONT")
          // It may have been away for so long that it ends itself.
          await Promise.race([gateway.ended, sleep(1000)])
          if (gateway.child.exitCode === null && gateway.child.signalCode === null) return
        } else if (kind === "endReplica") wrong.push(...await ended(gateway, `replica ${index}`))
        else {
          gateway.child.kill("SIGKILL")
          await gateway.ended
        }
        await sleep(millis)
        all[index] = await start(index)
      }
      const changed = change().catch((error) => wrong.push(`replica ${index}: ${error.message}`)).finally(() =>
        changing.delete(index)
      )
      changing.set(index, changed)
    },
    heal: settled,
    end: async () => {
      await settled()
      const ends = await Promise.all(all.map((one, index) => ended(one, `replica ${index}`)))
      // What gateways that were killed have left is removed by whoever looks for gateways next.
      await Promise.all(
        ports.map((_, index) => look({ ...process.env, ...environment(place, `${place.door}-${index}`) }))
      )
      return [...wrong, ...ends.flat()]
    },
    stop: () => Postgres.end(database)
  }
}

/** @param {NodeJS.ProcessEnv} env */
const look = (env) => once(spawn(process.execPath, [program, "status"], { env, stdio: "ignore" }), "exit")

/** Whether there can be a cluster here. */
export const canCluster = Postgres.isInstalled

/** @param {Place} place @param {string} door @param {Readonly<Record<string, Entry>>} entries @returns {Promise<Gateways>} */
export const start = async (place, door, entries) => {
  mkdirSync(join(place.folder, "tmp", place.door), { recursive: true })
  if (door !== "serve" && door !== "cluster") return nothing
  const log = openSync(join(place.folder, `${door}.log`), "a")
  const config = configured(entries, join(place.folder, `${door}.json`))
  if (door === "cluster") return replicas(place, config, log)
  const port = await Processes.freePort()
  const gateway = await serve(config, port, environment(place), log)
  return { ...nothing, urls: [`http://127.0.0.1:${port}/mcp`], end: () => ended(gateway, "serve") }
}
