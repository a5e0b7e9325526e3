#!/usr/bin/env node
/**
 * Shows a cluster at work, on one machine: a PostgreSQL, three gateways with `--cluster`, three servers that run once, and a client that
 * sends each request to another gateway. It prints a line each second, and what to kill; what was killed comes back. Ctrl+C ends everything.
 *
 * Usage: node tools/demo-cluster.mjs [--database postgres://user@host/database] [--seconds 60]
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Postgres from "./demo-cluster/postgres.mjs"

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */

const { values } = parseArgs({ options: { database: { type: "string" }, seconds: { type: "string" } } })

const fail = (/** @type {string} */ why) => {
  console.error(why)
  process.exit(1)
}

if (process.platform === "win32") fail("A cluster does not run on Windows.")
if (values.database === undefined && !Postgres.isInstalled) {
  fail(
    "PostgreSQL is not installed. On Debian: apt-get install postgresql. Or name a database of yours: --database postgres://user@host/database"
  )
}

const gateway = fileURLToPath(new URL("../packages/gateway/dist/bin.js", import.meta.url))
const program = fileURLToPath(new URL("demo-cluster/server.mjs", import.meta.url))
if (!existsSync(gateway)) fail("Build first: npx --yes pnpm@10.34.8 build")

/** A port that is free now. @returns {Promise<number>} */
const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
  server.close()
  await once(server, "close")
  return port
}

const folder = mkdtempSync(join(tmpdir(), "lifeline-demo-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
const effects = join(folder, "effects")
const config = join(folder, "mcp.json")
const names = ["alpha", "beta", "gamma"]
const key = randomBytes(32).toString("base64")
writeFileSync(effects, "")
writeFileSync(
  config,
  JSON.stringify({
    mcpServers: Object.fromEntries(
      names.map((name) => [name, { command: process.execPath, args: [program, name, effects] }])
    )
  })
)

const stopping = new AbortController()
const { signal } = stopping
for (const name of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(name, () => stopping.abort())
if (values.seconds !== undefined) setTimeout(() => stopping.abort(), Number(values.seconds) * 1000).unref()

/** Waits; less if the demo ends. @param {number} millis */
const pause = (millis) => sleep(millis, undefined, { signal }).catch(() => undefined)

const line = (/** @type {string} */ text) => console.log(`${new Date().toTimeString().slice(0, 8)} ${text}`)

/** @param {ChildProcess} child */
const hasEnded = ({ exitCode, signalCode }) => exitCode !== null || signalCode !== null

/** A process that is started again when it has ended. */
class Kept {
  /** @type {ChildProcess | undefined} */
  child
  /** Resolves when it has started for the first time. */
  started
  #loop
  #end

  /**
   * @param {() => ChildProcess | Promise<ChildProcess>} start
   * @param {(child: ChildProcess) => string} hint
   * @param {number} after in milliseconds
   * @param {(child: ChildProcess) => unknown} [end]
   */
  constructor(start, hint, after, end = (child) => child.kill("SIGTERM")) {
    this.#end = end
    const begin = async () => {
      const child = this.child = await start()
      line(`try: ${hint(child)}`)
      return child
    }
    const first = this.started = begin()
    this.#loop = (async () => {
      for (let child = await first;; child = await begin()) {
        if (!hasEnded(child)) await once(child, "exit")
        await pause(after)
        if (signal.aborted) return
      }
    })()
  }

  async stop() {
    const { child } = this
    if (child !== undefined && !hasEnded(child)) await this.#end(child)
    await this.#loop
  }
}

/** @type {Kept | undefined} */
let database
let url = values.database
if (url === undefined) {
  const port = await freePort()
  database = new Kept(
    Postgres.make(port),
    ({ pid }) => `kill -QUIT ${pid}   # the database: away for 20 s`,
    20_000,
    Postgres.end
  )
  await database.started
  url = `postgres://lifeline@127.0.0.1:${port}/postgres`
}

const ports = await Promise.all(names.map(freePort))
const log = openSync(join(folder, "gateways.log"), "a")
const replicas = ports.map((port, index) =>
  new Kept(
    () =>
      spawn(process.execPath, [gateway, "serve", "--config", config, "--port", `${port}`], {
        detached: true,
        stdio: ["ignore", log, log],
        env: {
          ...process.env,
          MCP_LIFELINE_CLUSTER: url,
          MCP_LIFELINE_SESSION_KEY: key,
          MCP_LIFELINE_STATE: join(folder, `state-${index + 1}`)
        }
      }),
    ({ pid }) => `kill -9 ${pid}   # replica ${index + 1}; -TERM stops it in an orderly way`,
    3000
  )
)
line(
  `the replicas serve ${ports.map((port) => `http://127.0.0.1:${port}`).join(", ")}, and log to ${folder}/gateways.log`
)

let turn = 0

/** Sends each request to the next replica, as a load balancer does: if it cannot be reached or refuses, to the one after it. */
const balanced = async (/** @type {string | URL} */ given, /** @type {RequestInit | undefined} */ init) => {
  for (let attempt = 1;; attempt++) {
    const to = new URL(given)
    to.port = `${ports[turn++ % ports.length]}`
    try {
      const response = await fetch(to, init)
      if (response.status !== 503 || attempt === 2 * ports.length) return response
      await response.body?.cancel()
    } catch (error) {
      const { code } = /** @type {{ readonly code?: string }} */ (Object(/** @type {Error} */ (error).cause))
      if (code !== "ECONNREFUSED" || attempt === 2 * ports.length) throw error
    }
  }
}

/** A client with a session, which any replica serves. */
const connect = async () => {
  for (; !signal.aborted; await pause(500)) {
    const client = new Client({ name: "demo", version: "1" })
    const reconnectionOptions = {
      initialReconnectionDelay: 100,
      maxReconnectionDelay: 1000,
      reconnectionDelayGrowFactor: 1.5,
      maxRetries: 1_000_000
    }
    const options = { fetch: balanced, reconnectionOptions }
    try {
      await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${ports[0]}/mcp`), options))
      return client
    } catch {
      // No replica serves yet.
    }
  }
  return undefined
}

const counts = { done: 0, failed: 0, unknown: 0 }
/** @type {Map<string, { readonly parent: number, readonly pid: number }>} */
const owners = new Map()

/** A call whose fate nobody knows is not made again. */
const isUnknown = (/** @type {any} */ error) =>
  error?.data?.fate === "unknown" || /ECONNRESET|other side closed|terminated/.test(String(error?.cause ?? error))

/** Calls one server, one call after the other. @param {Client} client @param {string} name */
const call = async (client, name) => {
  for (let number = 1; !signal.aborted; number++) {
    try {
      const request = { name: `${name}__count`, arguments: { key: `${name} ${number}` } }
      const { content, isError } = await client.callTool(request)
      const [{ text }] = /** @type {[{ readonly text: string }]} */ (content)
      if (isError) throw new Error(text)
      owners.set(name, JSON.parse(text))
      counts.done++
    } catch (error) {
      if (signal.aborted) return
      if (isUnknown(error)) counts.unknown++
      else counts.failed++
      line(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
    await pause(50)
  }
}

/** Where a server answered last. @param {string} name */
const ownerOf = (name) => {
  const found = owners.get(name)
  if (found === undefined) return `${name} -`
  const index = replicas.findIndex(({ child }) => child?.pid === found.parent)
  return `${name} on ${index === -1 ? "a replica that has gone" : `replica ${index + 1}`} (pid ${found.pid})`
}

const report = async () => {
  for (; !signal.aborted; await pause(1000)) {
    const keys = readFileSync(effects, "utf8").split("\n").filter((key) => key !== "")
    const twice = keys.length - new Set(keys).size
    const { done, failed, unknown } = counts
    line(
      `${done} calls done, ${failed} failed, ${unknown} unknown, ${twice} carried out twice; ${
        names.map(ownerOf).join(", ")
      }`
    )
  }
}

try {
  const client = await connect()
  if (client !== undefined) {
    signal.addEventListener("abort", () => void client.close())
    await Promise.all([report(), ...names.map((name) => call(client, name))])
  }
} finally {
  stopping.abort()
  line("ending")
  await Promise.all(replicas.map((replica) => replica.stop()))
  await database?.stop()
  closeSync(log)
}

// The client may still try to resume a stream.
process.exit()
