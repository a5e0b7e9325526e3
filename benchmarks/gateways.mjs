/**
 * The gateway beside published ones, in one run: each in front of the same server, server-everything over stdio.
 *
 * The others are installed from npm into a temporary folder; one that cannot be installed or started is left out, and a line says so.
 * All are measured in turns, block by block, by one client that speaks the protocol over sockets that stay open: the official
 * Client costs more than most gateways. `p50`: one call of `echo` after the other. `calls/s`: so many in flight. Both are of the best
 * block, since the others show what else the machine was doing. `RSS`: the processes of the gateway without the server's, after that.
 * `killed`: what a client of the official SDK sees when the server is killed.
 *
 *     node benchmarks/gateways.mjs [--rounds 15] [--calls 100] [--inFlight 50] [--many 1000] [--json]
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"

/** @typedef {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} Transport */
/** @typedef {{ call: () => Promise<void>, close: () => void }} Caller */
/** @typedef {{ name: string, version: string, tool: string, sse: boolean, url: string, pid: number, stop: () => void }} Gateway */
/** @typedef {(port: number) => { command: ReadonlyArray<string>, tool: string, sse?: boolean }} Start */

const { calls, inFlight, json, many, rounds } = common.options({ rounds: 15, calls: 100, inFlight: 50, many: 1000 })
const root = fileURLToPath(new URL("..", import.meta.url))
const bin = join(root, "packages/gateway/esm/bin.js")
const everything = join(
  dirname(
    createRequire(realpathSync(join(root, "packages/gateway/package.json"))).resolve(
      "@modelcontextprotocol/server-everything/package.json"
    )
  ),
  "dist/index.js"
)

const folder = mkdtempSync(join(tmpdir(), "lifeline-gateways-"))
/** @type {Array<() => void>} */
const closing = [() => rmSync(folder, { recursive: true, force: true })]
process.once("exit", () => closing.toReversed().forEach((close) => close()))
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130))
const config = join(folder, "mcp.json")
writeFileSync(
  config,
  JSON.stringify({ mcpServers: { every: { command: process.execPath, args: [everything, "stdio"] } } })
)

/** @type {Array<string>} */
const notes = []

/** @returns {Promise<number>} */
const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })

// --- a client that costs little

/**
 * A request over HTTP; `take` gets the answer as it comes, and what it returns once that is not undefined is the result.
 *
 * @template A
 * @param {{ url: string, agent: Agent, method?: string, headers?: Record<string, string>, body?: string | undefined }} options
 * @param {(text: string, headers: import("node:http").IncomingHttpHeaders, isWhole: boolean) => A | undefined} take
 * @returns {Promise<A>}
 */
const exchange = ({ agent, body, headers = {}, method = "POST", url }, take) =>
  new Promise((resolve, reject) => {
    const sent = request(url, {
      agent,
      method,
      headers: {
        accept: "application/json, text/event-stream",
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...headers
      }
    }, (response) => {
      let text = ""
      /** @param {boolean} isWhole */
      const look = (isWhole) => {
        const found = take(text, response.headers, isWhole)
        if (found !== undefined) resolve(found)
        else if (isWhole) reject(new Error(`${response.statusCode}: ${text}`))
      }
      response.setEncoding("utf8")
      response.on("data", (chunk) => {
        text += chunk
        look(false)
      })
      response.on("end", () => look(true))
      response.on("error", reject)
    })
    sent.on("error", (error) => {
      // The gateway has closed a socket that was unused while others were measured.
      if (sent.reusedSocket) resolve(exchange({ agent, body, headers, method, url }, take))
      else reject(error)
    })
    sent.end(body)
  })

/** @param {string} text */
const parsed = (text) => JSON.parse(text.startsWith("{") ? text : (/^data: ?(.*\S.*)$/m.exec(text)?.[1] ?? "{}"))

const initialize = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1" } }
}
const initialized = { jsonrpc: "2.0", method: "notifications/initialized" }

/** @param {number} id @param {string} name */
const callOf = (id, name) =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: { message: "hi" } } })

/** @param {any} answer */
const checked = (answer) => {
  if (answer.result?.content?.[0]?.text === undefined) throw new Error(JSON.stringify(answer))
}

/** @param {Gateway} gateway @returns {Promise<Caller>} */
const overHttp = async ({ tool, url }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight + 1 })
  const session = await exchange(
    { url, agent, body: JSON.stringify(initialize) },
    (_, headers, isWhole) => isWhole ? headers["mcp-session-id"] ?? "" : undefined
  )
  const headers = { "mcp-session-id": String(session), "mcp-protocol-version": "2025-06-18" }
  await exchange({ url, agent, headers, body: JSON.stringify(initialized) }, (_, __, isWhole) => isWhole || undefined)
  let id = 0
  return {
    call: async () =>
      checked(
        await exchange(
          { url, agent, headers, body: callOf(++id, tool) },
          (text, _, isWhole) => isWhole ? parsed(text) : undefined
        )
      ),
    close: () => agent.destroy()
  }
}

/** The older transport: answers come on one stream. @param {Gateway} gateway @returns {Promise<Caller>} */
const overSse = async ({ tool, url }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight + 2 })
  /** @type {Map<number, (answer: unknown) => void>} */
  const waiting = new Map()
  let read = 0
  const path = await exchange({ url, agent, method: "GET", headers: { accept: "text/event-stream" } }, (text) => {
    for (let end = text.indexOf("\n\n", read); end !== -1; end = text.indexOf("\n\n", read)) {
      const data = /^data: ?(.*)$/m.exec(text.slice(read, end))?.[1] ?? ""
      read = end + 2
      if (!data.startsWith("{")) continue
      const answer = JSON.parse(data)
      waiting.get(answer.id)?.(answer)
      waiting.delete(answer.id)
    }
    return /^data: ?(\/\S*)/m.exec(text)?.[1]
  })
  const target = new URL(path, url).href
  /** @param {string} body @returns {Promise<unknown>} */
  const post = (body) => exchange({ url: target, agent, body }, (_, __, isWhole) => isWhole || undefined)
  /** @param {number} id @param {string} body @returns {Promise<unknown>} */
  const ask = (id, body) =>
    new Promise((resolve, reject) => {
      waiting.set(id, resolve)
      post(body).catch(reject)
    })
  await ask(0, JSON.stringify(initialize))
  await post(JSON.stringify(initialized))
  let id = 0
  return {
    call: async () => checked(await ask(++id, callOf(id, tool))),
    close: () => agent.destroy()
  }
}

// --- the gateways

/** @type {Readonly<Record<string, Start>>} */
const others = {
  "mcp-hub": (port) => ({
    command: ["--port", String(port), "--config", config],
    tool: "every__echo",
    sse: true
  }),
  supergateway: (port) => ({
    command: [
      "--stdio",
      `"${process.execPath}" "${everything}" stdio`,
      "--outputTransport",
      "streamableHttp",
      "--stateful",
      "--port",
      String(port),
      "--logLevel",
      "none"
    ],
    tool: "echo"
  }),
  "mcp-proxy": (port) => ({
    command: [
      "--port",
      String(port),
      "--host",
      "127.0.0.1",
      "--server",
      "stream",
      "--",
      process.execPath,
      everything,
      "stdio"
    ],
    tool: "echo"
  })
}

/** The program of a package of npm, installed. @param {string} name */
const installed = (name) => {
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--prefix", join(folder, name), name], { stdio: "pipe" })
  const home = join(folder, name, "node_modules", name)
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"))
  const file = typeof manifest.bin === "string" ? manifest.bin : Object.values(manifest.bin)[0]
  return { version: String(manifest.version), file: join(home, file) }
}

/** @param {string} name @param {string} version @param {string} file @param {Start} start @returns {Promise<Gateway>} */
const started = async (name, version, file, start) => {
  const port = await freePort()
  const { command, sse = false, tool } = start(port)
  const child = spawn(process.execPath, [file, ...command], {
    env: { ...process.env, NO_COLOR: "1", NODE_ENV: "production", MCP_LIFELINE_STATE: join(folder, "state") },
    stdio: "ignore",
    detached: true
  })
  const pid = child.pid ?? 0
  const stop = () => {
    for (const one of family(pid)) {
      try {
        process.kill(one, "SIGKILL")
      } catch {
        // It has ended.
      }
    }
  }
  closing.push(stop)
  const gateway = { name, version, tool, sse, url: `http://127.0.0.1:${port}/mcp`, pid, stop }
  const deadline = performance.now() + 30_000
  for (;;) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`)
    if (performance.now() > deadline) throw new Error("does not answer")
    try {
      const caller = await (sse ? overSse(gateway) : overHttp(gateway))
      await caller.call()
      caller.close()
      return gateway
    } catch {
      await common.sleep(200)
    }
  }
}

// --- processes

const processes = () =>
  execFileSync("ps", ["-A", "-ww", "-o", "pid=,ppid=,rss=,args="], { encoding: "utf8" }).split("\n").flatMap((line) => {
    const [, pid, parent, rss, args = ""] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), rss: Number(rss), args }]
  })

/** @param {number} pid */
const tree = (pid) => {
  const all = processes()
  const found = new Set([pid])
  for (let size = 0; size !== found.size;) {
    size = found.size
    for (const one of all) if (found.has(one.parent)) found.add(one.pid)
  }
  return all.filter((one) => found.has(one.pid))
}

/** @param {number} pid */
const family = (pid) => tree(pid).map((one) => one.pid)

/** The server, and a shell that has started it. @param {{ args: string }} process */
const isServer = ({ args }) => args.split(" ")[1] === everything || /^\S*sh -c /.test(args)

/** In MB, without the server's. @param {number} pid */
const memory = (pid) => tree(pid).filter((one) => !isServer(one)).reduce((sum, { rss }) => sum + rss, 0) / 1024

// --- measuring

/** Milliseconds of each call. @param {Caller} caller */
const latencies = async ({ call }) => {
  const took = []
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now()
    await call()
    took.push(performance.now() - startedAt)
  }
  return took
}

/** Calls a second. @param {Caller} caller */
const throughput = async ({ call }) => {
  const startedAt = performance.now()
  let left = many
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (left-- > 0) await call()
  }))
  return many / ((performance.now() - startedAt) / 1000)
}

/** What a client sees when the server is killed. @param {Gateway} gateway */
const killed = async ({ pid, sse, tool, url }) => {
  const client = new Client({ name: "bench", version: "1" })
  const Transport = sse ? SSEClientTransport : StreamableHTTPClientTransport
  await client.connect(/** @type {Transport} */ (new Transport(new URL(url))))
  const call = () => client.callTool({ name: tool, arguments: { message: "hi" } }, undefined, { timeout: 5000 })
  await call()
  for (const one of tree(pid)) if (isServer(one)) process.kill(one.pid, "SIGKILL")
  const at = performance.now()
  let failed = 0
  while (performance.now() - at < 20_000) {
    const good = await call().then(({ isError }) => isError !== true, () => false)
    if (good) {
      void client.close().catch(() => undefined)
      return `good after ${common.round((performance.now() - at) / 1000)} s, ${failed} failed`
    }
    failed++
    await common.sleep(200)
  }
  return `no good call in 20 s, ${failed} failed`
}

/** The server itself, by the official Client. */
const direct = async () => {
  const client = new Client({ name: "bench", version: "1" })
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [everything, "stdio"], stderr: "ignore" })
  )
  closing.push(() => void client.close())
  return {
    call: async () => checked({ result: await client.callTool({ name: "echo", arguments: { message: "hi" } }) }),
    close: () => void client.close()
  }
}

/** @type {Array<Gateway>} */
const gateways = [
  await started("lifeline", "this", bin, (port) => ({
    command: ["serve", "--port", String(port), "--config", config],
    tool: "every__echo"
  }))
]
for (const [name, start] of Object.entries(others)) {
  try {
    const { file, version } = installed(name)
    gateways.push(await started(name, version, file, start))
  } catch (error) {
    notes.push(`${name} is left out: ${error instanceof Error ? error.message.split("\n")[0] : error}`)
  }
}

/** @type {Array<{ name: string, caller: Caller, took: Array<number>, medians: Array<number>, rates: Array<number> }>} */
const measured = [{ name: "the server itself", caller: await direct(), took: [], medians: [], rates: [] }]
for (const gateway of gateways) {
  const caller = await (gateway.sse ? overSse(gateway) : overHttp(gateway))
  measured.push({ name: `${gateway.name} ${gateway.version}`, caller, took: [], medians: [], rates: [] })
}
for (let round = 0; round <= rounds; round++) {
  for (const { caller, medians, rates, took } of measured) {
    const [some, rate] = [await latencies(caller), await throughput(caller)]
    // The first round warms up.
    if (round === 0) continue
    took.push(...some)
    medians.push(common.median(some))
    rates.push(rate)
  }
}
const rss = gateways.map(({ pid }) => memory(pid))
for (const { caller } of measured) caller.close()
/** @type {Array<string>} */
const seen = []
for (const gateway of gateways) seen.push(await killed(gateway))

const p50s = measured.map(({ medians }) => Math.min(...medians))
const rates = measured.map(({ rates }) => Math.max(...rates))
const best = {
  p50: Math.min(...p50s.slice(2)),
  rate: Math.max(...rates.slice(2)),
  rss: Math.min(...rss.slice(1))
}
const [p50 = 0, rate = 0, size = 0] = [p50s[1], rates[1], rss[0]]
common.report({
  title: "Gateways in front of server-everything over stdio",
  json,
  notes: [
    ...notes,
    `Against the best of the others: p50 ${common.round(p50 / best.p50, 2)} times, calls a second ${
      common.round(rate / best.rate, 2)
    } times, memory ${common.round(size / best.rss, 2)} times`
  ],
  rows: measured.map(({ name, took }, i) => ({
    name,
    figures: {
      "p50 ms": common.round(p50s[i] ?? 0, 2),
      "p99 ms": common.round(common.quantile(took, 0.99), 2),
      [`calls/s at ${inFlight}`]: Math.round(rates[i] ?? 0),
      ...(i === 0 ? {} : { "RSS MB": Math.round(rss[i - 1] ?? 0), killed: seen[i - 1] ?? "" })
    },
    ...(i === 1
      ? {
        bound: "p50 <= 0.6, calls/s >= 1.5, memory < 1 of the best",
        within: p50 <= 0.6 * best.p50 && rate >= 1.5 * best.rate && size < best.rss
      }
      : {})
  }))
})
process.exit()
