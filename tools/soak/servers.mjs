/**
 * The servers behind a door: how it reaches each of them, what can be done to each, and what each has counted.
 */
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { fork, spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Processes from "./processes.mjs"

/** @typedef {import("./doors.mjs").ServerName} ServerName */
/** @typedef {import("./plan.mjs").Fault} Fault */
/** @typedef {import("./httpServers.mjs").Counts} Counts */
/** @typedef {{ readonly command: string, readonly args: ReadonlyArray<string>, readonly env: Readonly<Record<string, string>> } | { readonly url: string }} Entry */
/**
 * `fail` does what a fault says, and resolves when it is done and, where it lasts, begun; `heal` undoes what lasts. `openings`: what it has
 * counted, once its door is closed.
 *
 * @typedef {object} Server
 * @property {Entry} entry
 * @property {(fault: Fault) => Promise<void>} fail
 * @property {() => Promise<void>} heal
 * @property {() => Promise<ReadonlyArray<import("./verdict.mjs").Openings>>} openings
 * @property {() => Promise<void>} stop
 */
/** @typedef {{ readonly soak: string, readonly door: string, readonly folder: string }} Place */

const everything = join(
  createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/package.json"),
  "../dist/index.js"
)

/** Where the effects at a door are written. @param {Place} place @param {string} name */
export const journalOf = ({ door, folder }, name) => join(folder, "journals", `${door}-${name}`)

/** How soon what runs continues after the longest stop of a plan. @param {Place} place @param {string} name @param {string} program */
const killable = ({ door, soak }, name, program) => {
  const pids = () => Processes.running(program, soak, door, name)
  /** @type {Set<number>} */
  const stopped = new Set()
  const go = (/** @type {number} */ pid) => {
    stopped.delete(pid)
    Processes.signal(pid, "SIGCONT")
  }
  return {
    /** @param {Fault} fault */
    fail: async ({ kind, millis }) => {
      const pid = pids().at(-1)
      if (pid === undefined) return
      if (kind === "kill") Processes.signal(pid, "SIGKILL")
      if (kind !== "stop") return
      Processes.signal(pid, "SIGSTOP")
      stopped.add(pid)
      setTimeout(() => go(pid), millis)
    },
    heal: async () => stopped.forEach(go)
  }
}

/** @param {Place} place @param {ServerName} name @param {string} program @param {ReadonlyArray<string>} args @param {string} [journal] @returns {Server} */
const overStdio = (place, name, program, args, journal) => ({
  entry: { command: process.execPath, args: [program, ...args], env: Processes.marked(place.soak, place.door, name) },
  ...killable(place, name, program),
  openings: async () => {
    if (journal === undefined) return []
    const opened = StdioFaultServer.count(journal, "start")
    return [{
      what: `processes of ${name}`,
      opened,
      closed: opened - Processes.running(program, place.soak, place.door, name).length,
      excused: 0
    }]
  },
  stop: async () => {}
})

/** @param {Place} place @param {ServerName} name @param {"2025" | "2026"} era @param {boolean} logs */
const faultServer = (place, name, era, logs) => {
  const journal = journalOf(place, name)
  const { args: [program = "", ...args] } = StdioFaultServer.command({ era, journal, logs })
  return overStdio(place, name, program, args, journal)
}

/** `server-everything` over HTTP: when it has ended, it comes back at the same address. @param {Place} place @returns {Promise<Server>} */
const everyHttp = async (place) => {
  const port = await Processes.freePort()
  const env = { ...process.env, ...Processes.marked(place.soak, place.door, "everyHttp"), PORT: String(port) }
  let isStopping = false
  const start = async () => {
    const child = spawn(process.execPath, [everything, "streamableHttp"], { env, stdio: ["ignore", "ignore", "pipe"] })
    child.once("exit", () => isStopping || setTimeout(start, 300))
    await Promise.race([once(child.stderr, "data"), once(child, "exit")])
    child.stderr.resume()
  }
  await start()
  const server = killable(place, "everyHttp", everything)
  return {
    entry: { url: `http://127.0.0.1:${port}/mcp` },
    ...server,
    openings: async () => [],
    stop: async () => {
      isStopping = true
      for (const pid of Processes.running(everything, place.soak, place.door, "everyHttp")) {
        Processes.signal(pid, "SIGKILL")
      }
    }
  }
}

/** The two servers over HTTP, in one process. @param {Place} place @param {boolean} logs */
const overHttp = async (place, logs) => {
  const program = fileURLToPath(new URL("httpServers.mjs", import.meta.url))
  const child = fork(program, [journalOf(place, "http"), ...logs ? ["logs"] : []], {
    env: { ...process.env, ...Processes.marked(place.soak, place.door, "http") },
    execArgv: []
  })
  const urls = /** @type {Record<string, string>} */ ((await once(child, "message"))[0])
  /** One order after the other, so that each gets its own answer. */
  let last = Promise.resolve()
  /** @param {import("./httpServers.mjs").Order} order @returns {Promise<Counts>} */
  const tell = (order) => {
    const answer = last.then(async () => {
      const heard = once(child, "message")
      child.send(order)
      return /** @type {Counts} */ ((await heard)[0])
    })
    last = answer.then(() => {})
    return answer
  }
  const stop = async () => {
    if (!child.connected) return
    const ended = once(child, "exit")
    child.disconnect()
    await ended
  }
  return {
    stop,
    /** @param {"http25" | "http26"} name @returns {Server} */
    server: (name) => ({
      entry: { url: urls[name] ?? "" },
      fail: async (fault) => void await tell({ name, what: "fail", fault }),
      heal: async () => void await tell({ name, what: "heal" }),
      openings: async () => {
        let counts = await tell({ name, what: "counts" })
        for (let looks = 0; looks < 100 && counts.sockets + counts.streams > 0; looks++) {
          await sleep(50)
          counts = await tell({ name, what: "counts" })
        }
        const { closed, excused, opened, sockets, streams } = counts
        return [
          { what: `sessions of ${name}`, opened, closed, excused },
          { what: `sockets of ${name}`, opened: sockets, closed: 0, excused: 0 },
          { what: `streams of ${name}`, opened: streams, closed: 0, excused: 0 }
        ]
      },
      stop
    })
  }
}

/** Starts those of these servers that do not start by need. @param {Place} place @param {ReadonlyArray<ServerName>} names @param {boolean} isShared whether several clients use them, so that log messages belong to none */
export const start = async (place, names, isShared) => {
  const http = await overHttp(place, !isShared)
  /** @type {Record<ServerName, () => Server | Promise<Server>>} */
  const makes = {
    stdio25: () => faultServer(place, "stdio25", "2025", !isShared),
    stdio26: () => faultServer(place, "stdio26", "2026", false),
    own25: () => faultServer(place, "own25", "2025", true),
    http25: () => http.server("http25"),
    http26: () => http.server("http26"),
    every: () => overStdio(place, "every", everything, ["stdio"]),
    everyHttp: () => everyHttp(place)
  }
  const made = await Promise.all(names.map(async (name) => /** @type {const} */ ([name, await makes[name]()])))
  return {
    servers: new Map(made),
    stop: async () => void await Promise.all([http.stop(), ...made.map(([, { stop }]) => stop())])
  }
}

/** How often each key had its effect. @param {Place} place @param {ReadonlyArray<string>} names @returns {ReadonlyArray<string>} */
export const effects = (place, names) =>
  [...new Set(names.map((name) => name.startsWith("http") ? "http" : name))].flatMap((name) =>
    StdioFaultServer.journal(journalOf(place, name)).flatMap(({ detail = "", event }) =>
      event === "apply" ? [detail] : []
    )
  )
