/**
 * One client and one server that behaves in one way: plays it, and says what became of the server and of the calls.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Processes from "../../soak/processes.mjs"
import { Child } from "../recovery/child.mjs"
import { served, wrapped } from "../recovery/stand.mjs"

/** @typedef {import("./behaviours.mjs").Behaviour} Behaviour */
/** @typedef {import("../recovery/client.js").Target} Target */
/**
 * A row of the table: a client of `caller.mjs`, and the door of Lifeline before it.
 *
 * @typedef {{ readonly id: string, readonly name: string, readonly kind: string, readonly door?: "wrap" | "serve" | undefined }} Row
 */
/** What became of it; `back`: after how many milliseconds a call was good. @typedef {{ readonly isKept: boolean, readonly back: number | undefined, readonly lost: number }} Result */

const server = fileURLToPath(new URL("server.mjs", import.meta.url))
const caller = fileURLToPath(new URL("caller.mjs", import.meta.url))
/** How long a program may take to start on a busy machine. */
const patience = 60_000
/** After that long, a call is made for each second that passes, with its caller's patience. */
const [every, callers] = [1000, 10_000]

let made = 0
const run = ["liveness", String(process.pid)]
const marked = (/** @type {ReadonlyArray<string>} */ mark) => Processes.withMark(...mark).map(({ pid }) => pid)

/** Ends what is left of every cell. */
export const killAll = () => {
  for (const pid of marked(run)) Processes.signal(pid, "SIGKILL")
}

export class Cell {
  lost = 0
  /** When it began, for those that must be replaced. */
  #since = performance.now()
  #client
  #mark
  #target
  #file
  #log

  /** @param {Child} client @param {ReadonlyArray<string>} mark @param {Target} target @param {string} file @param {(text: string) => void} log */
  constructor(client, mark, target, file, log) {
    this.#log = log
    this.#client = client
    this.#mark = mark
    this.#target = target
    this.#file = file
  }

  /** The processes of the server that were started, the latest last. */
  pids() {
    return readFileSync(this.#file, "utf8").split("\n").filter((line) => line !== "").map(Number)
  }

  /** Whether the process of the server that was started first lives. */
  isFirstAlive() {
    return this.pids().slice(0, 1).some((pid) => Processes.isAlive(pid))
  }

  /** @param {number} timeoutMs */
  async open(timeoutMs) {
    const answer = await this.#client.ask({ what: "open", target: this.#target, timeoutMs }, timeoutMs + 15_000)
    if (answer.error !== undefined) this.#log(`open: ${answer.error}`)
    return answer
  }

  /** A call whose error counts as lost. @param {string} tool @param {number} millis @param {number} timeoutMs */
  async call(tool, millis, timeoutMs) {
    const answer = await this.#ask(tool, millis, timeoutMs)
    if (answer.error !== undefined) {
      this.lost++
      this.#log(`${tool}: ${answer.error}`)
    }
    return answer
  }

  /** A call that is not waited for, and must fail. @param {string} tool @param {number} millis @param {number} timeoutMs */
  leave(tool, millis, timeoutMs) {
    this.#since = performance.now()
    void this.#ask(tool, millis, timeoutMs)
  }

  /** @param {string} tool @param {number} millis @param {number} timeoutMs */
  #ask(tool, millis, timeoutMs) {
    return this.#client.ask({ what: "call", tool, millis, timeoutMs }, timeoutMs + 2000)
  }

  /** Connects, and gives what the server calls itself. */
  async ready() {
    const opened = await this.open(patience)
    const before = opened.error === undefined ? await this.#ask("look", 0, patience) : opened
    if (before.error !== undefined) throw new Error(`it did not connect: ${before.error}`)
    return before.text
  }

  stop() {
    this.#signal("SIGSTOP")
  }

  kill() {
    this.#signal("SIGKILL")
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    this.#since = performance.now()
    for (const pid of this.pids()) Processes.signal(pid, signal)
  }

  /** @param {number} millis */
  async suspend(millis) {
    const pids = marked(this.#mark)
    for (const pid of pids) Processes.signal(pid, "SIGSTOP")
    await sleep(millis)
    for (const pid of pids) Processes.signal(pid, "SIGCONT")
  }

  /** Calls each second until one is answered. @param {number} within @returns {Promise<number | undefined>} after how many milliseconds */
  async back(within) {
    /** @type {number | undefined} */
    let back
    const calls = []
    while (back === undefined && performance.now() - this.#since < within) {
      const call = this.call("look", 0, callers).then(({ error }) => {
        if (error === undefined) back ??= performance.now() - this.#since
      })
      calls.push(call)
      // One that fails at once is no reason to call again at once.
      await Promise.race([sleep(every), call.then(() => back === undefined ? sleep(every) : undefined)])
    }
    await Promise.all(calls)
    return back
  }
}

/**
 * @param {Row} row
 * @param {Behaviour} behaviour
 * @param {"stdio" | "http"} transport
 * @param {{ readonly folder: string, readonly log: (text: string) => void }} settings
 * @returns {Promise<Result>}
 */
export const measure = async (row, behaviour, transport, { log, ...settings }) => {
  const number = String(made++)
  const folder = join(settings.folder, number)
  mkdirSync(folder)
  const mark = [...run, number]
  const env = { ...Processes.marked(...mark), MCP_LIFELINE_STATE: join(folder, "state"), NO_COLOR: "1" }
  const file = join(folder, "starts")
  writeFileSync(file, "")
  /** @type {Array<() => unknown>} */
  const ends = []
  try {
    // What computes for minutes leaves the processor to those that are measured.
    const args = ["-n", "10", process.execPath, server, transport, file, behaviour.mode ?? ""]
    const target = transport === "stdio"
      ? /** @type {Target} */ ({ kind: "stdio", command: "nice", args, env })
      : await listening(args, env)
    const client = new Child(caller, [row.kind], env, log)
    ends.unshift(() => client.end())
    const gateway = row.door === "serve"
      ? await served(target, folder, env, /** @type {any} */ ({ log, published: false }))
      : undefined
    if (gateway !== undefined) ends.unshift(gateway.kill)
    const cell = new Cell(
      client,
      mark,
      gateway?.target ?? (row.door === "wrap" ? wrapped(target, env, false) : target),
      file,
      log
    )
    const before = behaviour.atStart === true ? undefined : await cell.ready()
    await behaviour.play(cell)
    if (!behaviour.isKept) {
      const back = await cell.back(behaviour.within ?? 60_000)
      return { back, isKept: transport === "stdio" && cell.isFirstAlive(), lost: cell.lost }
    }
    // One that still computes shows by its life that it was kept, and a session over HTTP by what it answers.
    const isKept = transport === "stdio"
      ? cell.isFirstAlive()
      : (await cell.call("look", 0, patience)).text === before
    return { isKept, back: undefined, lost: cell.lost }
  } finally {
    for (const pid of marked(mark)) Processes.signal(pid, "SIGKILL")
    for (const end of ends) await end()
  }
}

/** A server over HTTP, as others run it. @param {ReadonlyArray<string>} args @param {Record<string, string>} env @returns {Promise<Target>} */
const listening = async (args, env) => {
  const child = spawn("nice", args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] })
  const [port] = await once(child.stdout.setEncoding("utf8"), "data")
  return { kind: "http", url: `http://127.0.0.1:${Number(port)}/mcp` }
}
