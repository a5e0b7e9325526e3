/**
 * One client in one fault: prepares both, lets the fault happen, calls as a careful host does, and counts what is left.
 */
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Processes from "../../soak/processes.mjs"
import { Child } from "./child.mjs"
import * as Figures from "./figures.mjs"
import { served, Stand, wrapped } from "./stand.mjs"

/** @typedef {import("./figures.mjs").Call} Call */
/** @typedef {import("./rows.mjs").Row} Row */
/**
 * What happens, and to what kind of server.
 *
 * @typedef {{ readonly fault: import("./faults.mjs").Fault, readonly transport: "stdio" | "http", readonly protocol: import("./client.js").Protocol }} Scene
 */
/**
 * @typedef {object} Settings
 * @property {number} timeoutMs the caller's own timeout
 * @property {number} within how long a client has to come back, in milliseconds
 * @property {{ readonly acquire: () => Promise<() => void> }} cores who starts processes, or comes back, holds one
 * @property {string} folder where it may keep files
 * @property {boolean} published whether Lifeline is measured as it is published, in bundles, which have to be there
 * @property {(text: string) => void} log
 */
/** @typedef {Figures.Cell & { readonly calls: ReadonlyArray<Call>, readonly notes: ReadonlyArray<string> }} Result */

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url))

/** How long the caller waits after an error. */
const pause = 100
/** How long preparing may take on a busy machine. */
const patience = 60_000
/** How long others are held off from a client that comes back. */
const quiet = 2000
/** How long what begins after a close may take to do so. */
const afterwards = 2000
/** How long processes and sessions have to end after a close, and a close itself. */
const [ending, closing] = [3000, 15_000]

let made = 0
/** What all processes of this one are marked with. */
const run = ["recovery", String(process.pid)]

/** Kills what is left of every cell. */
export const killAll = () => {
  for (const pid of marked(run) ?? []) Processes.signal(pid, "SIGKILL")
}

/**
 * Rejects where the client does not get ready.
 *
 * @param {Row} row
 * @param {Scene} scene
 * @param {Settings} settings
 * @returns {Promise<Result>}
 */
export const measure = async (row, scene, settings) => {
  const { fault, protocol, transport } = scene
  const number = String(made++)
  const folder = join(settings.folder, number)
  mkdirSync(folder)
  const mark = [...run, number]
  const env = { ...Processes.marked(...mark), MCP_LIFELINE_STATE: join(folder, "state"), NO_COLOR: "1" }
  /** @type {Array<() => unknown>} */
  const ends = []
  let release = await settings.cores.acquire()
  try {
    const stand = await Stand.open(scene, folder, env, settings.log)
    ends.unshift(() => stand.end())
    const conditions = settings.published ? ["--conditions=published"] : []
    const client = new Child(worker, [row.module, row.door, protocol], env, settings.log, conditions)
    ends.unshift(() => client.end())
    const ready = await client.ask({ what: "load" }, patience)
    if (ready.error !== undefined) throw new Error(`it cannot be loaded: ${ready.error}`)
    const begin = async () => {
      release()
      release = await settings.cores.acquire()
      const started = performance.now()
      await fault.begin(stand)
      return started
    }
    const early = fault.atStart === true ? await begin() : undefined
    // A gateway that starts now is part of what takes time.
    const gateway = row.door === "serve" ? await served(stand.target, folder, env, settings) : undefined
    if (gateway !== undefined) ends.unshift(gateway.kill)
    const target = gateway?.target ??
      (row.door === "wrap" ? wrapped(stand.target, env, settings.published) : stand.target)
    const caller = new Caller(client, target, settings)
    if (early === undefined) await caller.prepare(stand)
    const started = early ?? await begin()
    if (fault.idle !== undefined) {
      release()
      await sleep(fault.idle)
      release = await settings.cores.acquire()
    }
    const since = fault.idle === undefined ? started : performance.now()
    const noise = setTimeout(release, quiet)
    const calls = await caller.outage(since, fault.atStart === true, release, fault.calls ?? 5)
    clearTimeout(noise)
    release()

    /** @type {Array<string>} */
    const notes = []
    if (client.hasEnded) notes.push("its process ended")
    // Processes of the server are its own.
    const servers = new Set(stand.pids())
    const memory = marked(mark)?.reduce((sum, pid) => sum + (servers.has(pid) ? 0 : memoryOf(pid)), 0)
    const closed = await client.ask({ what: "close" }, closing)
    if (closed.error !== undefined) notes.push(`close: ${closed.error}`)
    await gateway?.end()
    const left = () => {
      const alive = new Set([...stand.pids(), ...marked(mark) ?? []])
      if (client.pid !== undefined) alive.delete(client.pid)
      return alive.size
    }
    const sessions = async () => transport === "http" ? await stand.sessions() : undefined
    const isClean = async () => left() === 0 && (await sessions() ?? 0) === 0
    await Processes.eventually(isClean, ending)
    // Some start a server again after they were closed.
    await sleep(afterwards)
    await Processes.eventually(isClean, ending)
    return {
      ...Figures.outage(calls, settings.within),
      twice: Figures.twice(stand.journal()),
      sessions: await sessions(),
      processes: left(),
      memory,
      calls,
      notes
    }
  } finally {
    release()
    for (const pid of marked(mark) ?? []) Processes.signal(pid, "SIGKILL")
    for (const end of ends) await end()
  }
}

/** The processes with a mark; undefined where the system does not say. @param {ReadonlyArray<string>} mark */
const marked = (mark) => process.platform === "linux" ? Processes.withMark(...mark).map(({ pid }) => pid) : undefined

/** In MB. @param {number} pid */
const memoryOf = (pid) => {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024
  } catch {
    // It has ended.
    return 0
  }
}

/** A careful host: it gives each call a timeout of its own, and calls again after an error. */
class Caller {
  #client
  #target
  #settings
  #made = 0

  /** @param {Child} client @param {import("./client.js").Target} target @param {Settings} settings */
  constructor(client, target, settings) {
    this.#client = client
    this.#target = target
    this.#settings = settings
  }

  /** @param {number} patience */
  #open(patience) {
    const { timeoutMs } = this.#settings
    return this.#client.ask({ what: "open", target: this.#target, timeoutMs }, patience)
  }

  /** Connects, and makes the call that shows it. A busy machine may need several attempts. @param {Stand} stand */
  async prepare(stand) {
    const { timeoutMs } = this.#settings
    let opened = await this.#open(patience)
    for (let i = 0; i < 2 && opened.error !== undefined; i++) opened = await this.#open(patience)
    if (opened.error !== undefined) throw new Error(`it did not connect: ${opened.error}`)
    const key = "before"
    const called = await this.#client.ask({ what: "call", key, timeoutMs }, patience)
    if (called.error !== undefined) throw new Error(`its first call failed: ${called.error}`)
    if (!stand.journal().some(({ detail, event }) => event === "apply" && detail === key)) {
      throw new Error("the arguments of its first call did not arrive")
    }
  }

  /**
   * Calls until a call is good, and a few times more.
   *
   * @param {number} since
   * @param {boolean} isNew it has to connect first
   * @param {() => void} onBack
   * @param {number} more
   */
  async outage(since, isNew, onBack, more) {
    const { timeoutMs, within } = this.#settings
    /** @type {Array<Call>} */
    const calls = []
    let isOpen = !isNew
    let left = more + 1
    while (left > 0) {
      const at = performance.now()
      // A good call ends the waiting; those that follow are made in any case.
      if (left === more + 1 && at - since >= within) break
      // A little more than the client was given, so that it can say itself that it gave up.
      const key = `${++this.#made}`
      const { error } = isOpen
        ? await this.#client.ask({ what: "call", key, timeoutMs }, timeoutMs + 200)
        : await this.#open(timeoutMs + 200)
      const took = performance.now() - at
      const outcome = Figures.outcome({ ok: error === undefined, took, timeoutMs })
      if (!isOpen && outcome === "good") {
        isOpen = true
        continue
      }
      calls.push({ at: at - since, took, outcome, why: error })
      if (this.#client.hasEnded) break
      if (outcome === "good" || left <= more) left--
      if (outcome === "good") onBack()
      await sleep(pause)
    }
    return calls
  }
}
