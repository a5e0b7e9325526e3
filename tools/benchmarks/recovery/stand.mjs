/**
 * What stands behind a client: a server, a proxy before it, and Lifeline's gateway where a row says so.
 */
import { ReservedPort, StdioFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Processes from "../../soak/processes.mjs"
import { Child } from "./child.mjs"

/** @typedef {import("./client.js").Target} Target */
/** @typedef {import("./rows.mjs").Door} Door */

const httpServer = fileURLToPath(new URL("httpServer.mjs", import.meta.url))
/** The gateway as it is published, or only built. @param {boolean} published */
const program = (published) =>
  fileURLToPath(new URL(`../../../packages/gateway/${published ? "esm" : "dist"}/bin.js`, import.meta.url))

/** How long a process of ours may take to do what it is told, on a busy machine. */
const patience = 60_000

/** A server, and what can be done to it. */
export class Stand {
  transport
  /** @type {TcpProxy.TcpProxy | undefined} */
  network
  #journal
  /** @type {ReadonlyArray<Child>} The process of the server over HTTP, and that which follows it. */
  #servers = []
  /** @type {ReservedPort.ReservedPort | undefined} */
  #port
  /** @type {Target} */
  target

  /** @param {"stdio" | "http"} transport @param {string} journal @param {Target} target */
  constructor(transport, journal, target) {
    this.transport = transport
    this.#journal = journal
    this.target = target
  }

  /** @param {import("./cell.mjs").Scene} scene @param {string} folder @param {Record<string, string>} env @param {(text: string) => void} log */
  static async open({ fault, protocol, transport }, folder, env, log) {
    const journal = join(folder, "journal.jsonl")
    if (transport === "stdio") {
      const { args, command } = StdioFaultServer.command({
        journal,
        era: protocol,
        .../** @type {StdioFaultServer.Options} */ (fault.crashes === undefined ? {} : { crashes: fault.crashes })
      })
      return new Stand(transport, journal, { kind: "stdio", command, args: [...args], env })
    }
    const port = await ReservedPort.open()
    const url = `http://127.0.0.1:${port.port}/mcp`
    const stand = new Stand(transport, journal, { kind: "http", url })
    stand.#port = port
    const start = () => new Child(httpServer, [String(port.port), journal, protocol], {}, log)
    stand.#servers = fault.successor === undefined ? [start()] : [start(), start()]
    await stand.order({ what: "listen" })
    // It is there when it is told to begin.
    await stand.#servers[1]?.ask({ what: "count" }, patience)
    if (fault.proxied !== undefined) {
      stand.network = await TcpProxy.open(url)
      stand.target = { kind: "http", url: stand.network.url }
    }
    return stand
  }

  journal() {
    return StdioFaultServer.journal(this.#journal)
  }

  /** The processes of a server over stdio that live, the latest last. */
  pids() {
    const started = this.journal().flatMap(({ event, pid }) => event === "start" ? [pid] : [])
    return started.filter((pid) => Processes.isAlive(pid))
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    if (this.transport === "http") return this.#servers[0]?.kill(signal)
    const pid = this.pids().at(-1)
    if (pid === undefined) throw new Error("the server has no process")
    process.kill(pid, signal)
  }

  /** Tells the server over HTTP; does nothing over stdio, where faults are in its options. @param {import("./httpServer.mjs").Order} order */
  async order(order) {
    const answer = await this.#servers[0]?.ask(order, patience)
    if (answer?.error !== undefined) throw new Error(`the server: ${answer.error}`)
  }

  /** @param {() => void} callback when the process of the server over HTTP has ended */
  ended(callback) {
    this.#servers[0]?.onEnd(callback)
  }

  /** The next process of the server over HTTP listens. */
  async succeed() {
    await this.#servers[1]?.ask({ what: "listen" }, patience)
  }

  /** The sessions that the server has; undefined where there are none. @returns {Promise<number | undefined>} */
  async sessions() {
    const server = this.#servers.findLast((one) => !one.hasEnded)
    return (await server?.ask({ what: "count" }, 10_000))?.sessions
  }

  async end() {
    await Promise.all(this.#servers.map((one) => one.end()))
    for (const pid of this.pids()) Processes.signal(pid, "SIGKILL")
    await this.network?.[Symbol.asyncDispose]()
    await this.#port?.[Symbol.asyncDispose]()
  }
}

/** `wrap` before a server, as a host starts it. @param {Target} target @param {Record<string, string>} env @param {boolean} published @returns {Target} */
export const wrapped = (target, env, published) => ({
  kind: "stdio",
  command: process.execPath,
  args: [
    program(published),
    "wrap",
    "--name",
    "bench",
    ...target.kind === "http" ? [target.url] : ["--", target.command, ...target.args]
  ],
  env
})

/** The gateway before a server. @param {Target} target @param {string} folder @param {Record<string, string>} env @param {import("./cell.mjs").Settings} settings */
export const served = async (target, folder, env, { log, published }) => {
  const config = join(folder, "mcp.json")
  const server = target.kind === "http"
    ? { url: target.url }
    : { command: target.command, args: target.args, env: target.env }
  // The tool keeps its name.
  writeFileSync(config, JSON.stringify({ mcpServers: { bench: { ...server, lifeline: { prefix: "" } } } }))
  const gateway = spawn(process.execPath, [program(published), "serve", "--config", config, "--port", "0"], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const ended = once(gateway, "exit")
  gateway.stderr.setEncoding("utf8").on("data", log)
  let printed = ""
  gateway.stdout.setEncoding("utf8").on("data", (text) => printed += text)
  const url = () => /^Serving (http:\S+)$/m.exec(printed)?.[1]
  const isUp = await Processes.eventually(() => url() !== undefined || gateway.exitCode !== null, patience)
  const found = url()
  if (!isUp || found === undefined) {
    gateway.kill("SIGKILL")
    throw new Error(`the gateway did not start: ${printed}`)
  }
  return {
    /** @type {Target} */
    target: { kind: "http", url: found },
    end: async () => {
      gateway.kill("SIGTERM")
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10_000))])
    },
    kill: () => gateway.kill("SIGKILL")
  }
}
