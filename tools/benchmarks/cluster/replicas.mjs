/**
 * Clusters of gateways as processes, each with a database of its own in one PostgreSQL, which is started, too. What goes to the databases and
 * back is counted.
 */
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Postgres from "../../postgres.mjs"
import * as common from "../common.mjs"
import * as Processes from "../gateways/processes.mjs"

/** @typedef {{ readonly url: string, readonly pid: number }} Replica */
/** @typedef {{ readonly replicas: ReadonlyArray<Replica>, readonly tools: ReadonlyArray<string>, readonly bytes: () => number, readonly statements: () => number }} Cluster */

const program = fileURLToPath(new URL("../fixtures/small.mjs", import.meta.url))

/** The size of a process in MB. @param {Replica} replica */
export const memory = ({ pid }) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** A way to a port that counts bytes. @param {number} port @returns {Promise<{ readonly port: number, readonly bytes: () => number }>} */
const counted = (port) =>
  new Promise((resolve) => {
    let bytes = 0
    const server = createServer((from) => {
      const to = connect(port, "127.0.0.1")
      for (const [one, other] of [[from, to], [to, from]]) {
        one?.on("data", (data) => bytes += data.length)
        one?.on("error", () => other?.destroy())
        one?.on("close", () => other?.destroy())
        if (other !== undefined) one?.setNoDelay().pipe(other)
      }
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
      resolve({ port, bytes: () => bytes })
    })
  })

/** A database server, which ends with this process. @returns {Promise<{ readonly port: number, readonly end: () => Promise<void> }>} */
export const database = async () => {
  const port = await Processes.freePort()
  const child = await Postgres.make(port, { shared_preload_libraries: "pg_stat_statements", max_connections: "200" })()
  Processes.atExit(() => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill("SIGQUIT")
    // Its files are removed next.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  })
  Postgres.ask(port, "postgres", "CREATE EXTENSION pg_stat_statements")
  return { port, end: () => Postgres.end(child) }
}

/** A gateway that serves. @param {ReadonlyArray<string>} args @param {Record<string, string>} env @returns {Promise<Replica>} */
const gateway = async (args, env) => {
  const port = await Processes.freePort()
  const more = (process.env["BENCH_NODE_OPTIONS"] ?? "").split(" ").filter((one) => one !== "")
  const child = spawn(
    process.execPath,
    [...more, Processes.lifeline.file, "serve", "--port", String(port), ...args],
    {
      env: {
        ...process.env,
        NO_COLOR: "1",
        NODE_ENV: "production",
        MCP_LIFELINE_STATE: join(Processes.folder, `state-${port}`),
        ...env
      },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true
    }
  )
  const pid = child.pid ?? 0
  Processes.atExit(() => child.exitCode === null && child.signalCode === null ? Processes.killTree(pid) : undefined)
  let printed = ""
  await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        printed = (printed + text).slice(-10_000)
        if (printed.includes("Serving http")) resolve(undefined)
      })
    }
    child.once("exit", () => reject(new Error(`a gateway has ended: ${printed}`)))
  })
  return { url: `http://127.0.0.1:${port}/mcp`, pid }
}

/**
 * A file with one server, which gateways read again when it changes: so all of them are there when the others start, and each gets some.
 *
 * @param {string} name
 * @param {number} servers
 */
const configured = (name, servers) => {
  const names = Array.from({ length: servers }, (_, i) => `small${i}`)
  const entry = { command: process.execPath, args: [program] }
  const file = join(Processes.folder, `${name}.json`)
  const write = (/** @type {ReadonlyArray<string>} */ some) =>
    writeFileSync(file, JSON.stringify({ mcpServers: Object.fromEntries(some.map((one) => [one, entry])) }))
  write(names.slice(0, 1))
  return { args: ["--config", file], tools: names.map((one) => `${one}__echo`), addServers: () => write(names) }
}

/** A gateway without a cluster. @param {number} servers @returns {Promise<Cluster>} */
export const alone = async (servers) => {
  const { addServers, args, tools } = configured("alone", servers)
  const replicas = [await gateway(args, {})]
  addServers()
  return { replicas, tools, bytes: () => 0, statements: () => 0 }
}

/** A cluster. @param {number} port of the database server @param {string} name @param {number} count of replicas @param {number} servers @returns {Promise<Cluster>} */
export const cluster = async (port, name, count, servers) => {
  Postgres.ask(port, "postgres", `CREATE DATABASE ${name}`)
  const way = await counted(port)
  const { addServers, args, tools } = configured(name, servers)
  const env = {
    MCP_LIFELINE_CLUSTER: `postgres://lifeline@127.0.0.1:${way.port}/${name}`,
    MCP_LIFELINE_SESSION_KEY: randomBytes(32).toString("base64")
  }
  const replicas = await Promise.all(Array.from({ length: count }, () => gateway(args, env)))
  // Each has seen the others.
  await common.sleep(3000)
  addServers()
  const question =
    `SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE datname = '${name}'`
  return { replicas, tools, bytes: way.bytes, statements: () => Number(Postgres.ask(port, "postgres", question)) }
}
