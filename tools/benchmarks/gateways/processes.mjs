/**
 * The gateways that are compared, as processes: how each is installed and started, and what it uses.
 */
import { execFileSync, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as common from "../common.mjs"
import * as Caller from "./caller.mjs"

/** @typedef {{ name: string, tools: ReadonlyArray<string>, sse: boolean, url: string, pid: number, stop: () => void }} Gateway */
/** Servers that a gateway starts, or whose addresses it gets. @typedef {{ program: string, args: ReadonlyArray<string>, count: number, urls?: ReadonlyArray<string> }} Servers */
/** @typedef {{ name: string, version: string, file: string, isSingle: boolean, sse: boolean, args: (port: number, config: string, servers: Servers) => Array<string> }} Product */

/** For files, until the end. */
export const folder = mkdtempSync(join(tmpdir(), "lifeline-gateways-"))
/** @type {Array<() => void>} */
const closing = [() => rmSync(folder, { recursive: true, force: true })]
process.once("exit", () => closing.toReversed().forEach((close) => close()))
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130))

/** @param {() => void} close */
export const atExit = (close) => void closing.push(close)

/** The gateway of this repository. @type {Product} */
export const lifeline = {
  name: "Lifeline",
  version: "",
  file: fileURLToPath(new URL("../../../packages/gateway/esm/bin.js", import.meta.url)),
  isSingle: false,
  sse: false,
  args: (port, config) => ["serve", "--port", String(port), "--config", config]
}

/** What any gateway does at least, and nothing of ours. @type {Product} */
export const bareRelay = {
  name: "a bare relay",
  version: "",
  file: fileURLToPath(new URL("relay.mjs", import.meta.url)),
  isSingle: true,
  sse: false,
  args: (port, _, { args, program }) => [String(port), program, ...args]
}

/** The others, by their names in npm. @type {Readonly<Record<string, Pick<Product, "isSingle" | "sse" | "args">>>} */
const others = {
  "mcp-hub": {
    isSingle: false,
    sse: true,
    args: (port, config) => ["--port", String(port), "--config", config]
  },
  supergateway: {
    isSingle: true,
    sse: false,
    args: (port, _, { args, program }) => [
      "--stdio",
      [process.execPath, program, ...args].map((arg) => `"${arg}"`).join(" "),
      "--outputTransport",
      "streamableHttp",
      "--stateful",
      "--port",
      String(port),
      "--logLevel",
      "none"
    ]
  },
  "mcp-proxy": {
    isSingle: true,
    sse: false,
    args: (port, _, { args, program }) => [
      "--port",
      String(port),
      "--host",
      "127.0.0.1",
      "--server",
      "stream",
      "--",
      process.execPath,
      program,
      ...args
    ]
  }
}

/** The program of a package of npm, installed. @param {string} name */
const installed = (name) => {
  const prefix = join(folder, name)
  mkdirSync(prefix)
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--prefix", prefix, name], { stdio: "pipe" })
  const home = join(prefix, "node_modules", name)
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"))
  const file = typeof manifest.bin === "string" ? manifest.bin : Object.values(manifest.bin)[0]
  return { version: String(manifest.version), file: join(home, file) }
}

/** What a note says of a gateway that cannot be measured. @param {string} name @param {unknown} error */
export const leftOut = (name, error) =>
  `${name} is left out: ${error instanceof Error ? error.message.split("\n")[0] : error}`

/** This gateway, and those of the others that can be installed. @param {Array<string>} notes */
export const products = (notes) => [
  lifeline,
  ...Object.entries(others).flatMap(([name, product]) => {
    try {
      return [{ name, ...installed(name), ...product }]
    } catch (error) {
      notes.push(leftOut(name, error))
      return []
    }
  })
]

/** @returns {Promise<number>} */
export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })

/** The programs of the servers that were started behind gateways. @type {Set<string>} */
const programs = new Set()

/** A gateway in front of servers, all of which answer. @param {Product} product @param {Servers} servers @returns {Promise<Gateway>} */
export const started = async ({ args, file, isSingle, name, sse, version }, servers) => {
  programs.add(servers.program)
  const port = await freePort()
  const names = Array.from({ length: servers.count }, (_, i) => `every${i}`)
  const entries = names.map((one, i) => {
    const url = servers.urls?.[i]
    return [one, url === undefined ? { command: process.execPath, args: [servers.program, ...servers.args] } : { url }]
  })
  const config = join(folder, `${name}-${port}.json`)
  writeFileSync(config, JSON.stringify({ mcpServers: Object.fromEntries(entries) }))
  const child = spawn(process.execPath, [file, ...args(port, config, servers)], {
    env: { ...process.env, NO_COLOR: "1", NODE_ENV: "production", MCP_LIFELINE_STATE: join(folder, `state-${port}`) },
    stdio: "ignore",
    detached: true
  })
  const pid = child.pid ?? 0
  const stop = () => {
    if (child.exitCode === null) killTree(pid)
  }
  atExit(stop)
  const gateway = {
    name: `${name} ${version}`.trim(),
    tools: isSingle ? ["echo"] : names.map((one) => `${one}__echo`),
    sse,
    url: `http://127.0.0.1:${port}/mcp`,
    pid,
    stop
  }
  const deadline = performance.now() + 30_000 + 2000 * servers.count
  for (;;) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`)
    if (performance.now() > deadline) {
      stop()
      throw new Error("does not answer")
    }
    try {
      const caller = await Caller.open(gateway, 1)
      for (const _ of gateway.tools) await caller.call()
      caller.close()
      return gateway
    } catch {
      await common.sleep(200)
    }
  }
}

const processes = () =>
  execFileSync("ps", ["-A", "-ww", "-o", "pid=,ppid=,rss=,args="], { encoding: "utf8" }).split("\n").flatMap((line) => {
    const [, pid, parent, rss, args = ""] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), rss: Number(rss), args }]
  })

/** A process and all that it has started. @param {number} pid */
export const tree = (pid) => {
  const all = processes()
  const found = new Set([pid])
  for (let size = 0; size !== found.size;) {
    size = found.size
    for (const one of all) if (found.has(one.parent)) found.add(one.pid)
  }
  return all.filter((one) => found.has(one.pid))
}

/** @param {number} pid */
export const killTree = (pid) => {
  for (const one of tree(pid)) {
    try {
      process.kill(one.pid, "SIGKILL")
    } catch {
      // It has ended.
    }
  }
}

/** A server, or a shell that has started one. @param {{ args: string }} process */
const isServer = ({ args }) => programs.has(args.split(" ")[1] ?? "") || /^\S*sh -c /.test(args)

/** @param {Gateway} gateway */
export const killServers = ({ pid }) => {
  for (const one of tree(pid)) if (isServer(one)) process.kill(one.pid, "SIGKILL")
}

/** In MB, without the servers'. @param {Gateway} gateway */
export const memory = ({ pid }) =>
  tree(pid).filter((one) => !isServer(one)).reduce((sum, { rss }) => sum + rss, 0) / 1024

/**
 * The CPU time that the gateway's process has used, in milliseconds; other programs on the machine change it less than they change
 * latencies. NaN where the system does not say it.
 *
 * @param {{ readonly pid: number }} gateway
 */
export const cpu = ({ pid }) => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
    // Ticks of a hundredth of a second, in user and in system mode.
    return 10 * (Number(fields[11]) + Number(fields[12]))
  } catch {
    return Number.NaN
  }
}
