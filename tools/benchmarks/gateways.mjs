/**
 * The gateway beside published ones, in one run.
 *
 * The others are installed from npm into a temporary folder; one that cannot be installed or started is left out, and a line says so.
 * The client is one request of `node:http` a call, over sockets that stay open: the official Client costs more than most gateways. What
 * this client and the server cost is in the latency of all alike. `CPU ms a call` is of the gateway's process alone, and on a machine that
 * others use it says more than the latency.
 *
 * `--part calls` (about 4 minutes on a quiet machine) has each in front of server-everything over stdio, measured in turns, block by block. `p50`: one call of
 * `echo` after the other. `calls/s`: so many in flight. Both are of the best block, since the others show what else the machine was doing.
 * `RSS`: the processes of the gateway without the server's, after that. `killed`: what a client of the official SDK sees in
 * `--within` seconds after the server is killed. `a bare relay` has an HTTP server, ids and a pipe, and nothing else (`gateways/relay.mjs`).
 *
 * `--part growth` (3 to 5 minutes) has each in front of 1, 10 and 50 small servers, used by 1, 10, 50 and 200 clients that call without a
 * pause for `--seconds`, one gateway at a time. Gateways for one server are measured with more clients only.
 *
 *     node tools/benchmarks/gateways.mjs [--part all|calls|growth] [--rounds 15] [--calls 100] [--inFlight 50] [--many 1000] [--seconds 3] [--within 20] [--json]
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { realpathSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"
import * as Caller from "./gateways/caller.mjs"
import * as Growth from "./gateways/growth.mjs"
import * as Processes from "./gateways/processes.mjs"

/** @typedef {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} Transport */

const { calls, inFlight, json, many, part, rounds, seconds, within } = common.options(
  { rounds: 15, calls: 100, inFlight: 50, many: 1000, seconds: 3, within: 20 },
  { part: ["all", "calls", "growth"] }
)
const everything = join(
  dirname(
    createRequire(realpathSync(fileURLToPath(new URL("../../packages/gateway/package.json", import.meta.url)))).resolve(
      "@modelcontextprotocol/server-everything/package.json"
    )
  ),
  "dist/index.js"
)

/** Milliseconds of each call. @param {Caller.Caller} caller */
const latencies = async ({ call }) => {
  const took = []
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now()
    await call()
    took.push(performance.now() - startedAt)
  }
  return took
}

/** Calls a second. @param {Caller.Caller} caller */
const throughput = async ({ call }) => {
  const startedAt = performance.now()
  let left = many
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (left-- > 0) await call()
  }))
  return many / ((performance.now() - startedAt) / 1000)
}

/** What a client sees when the server is killed. @param {Processes.Gateway} gateway */
const killed = async (gateway) => {
  const { sse, tools: [tool = ""], url } = gateway
  const client = new Client({ name: "bench", version: "1" })
  const Transport = sse ? SSEClientTransport : StreamableHTTPClientTransport
  await client.connect(/** @type {Transport} */ (new Transport(new URL(url))))
  const call = () => client.callTool({ name: tool, arguments: { message: "hi" } }, undefined, { timeout: 5000 })
  await call()
  Processes.killServers(gateway)
  const at = performance.now()
  let failed = 0
  while (performance.now() - at < 1000 * within) {
    const good = await call().then(({ isError }) => isError !== true, () => false)
    if (good) {
      void client.close().catch(() => undefined)
      return `good after ${common.round((performance.now() - at) / 1000)} s, ${failed} failed`
    }
    failed++
    await common.sleep(200)
  }
  return `no good call in ${within} s, ${failed} failed`
}

/** The server itself, by the official Client. */
const direct = async () => {
  const client = new Client({ name: "bench", version: "1" })
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [everything, "stdio"], stderr: "ignore" })
  )
  Processes.atExit(() => void client.close())
  return {
    call: async () => Caller.checked({ result: await client.callTool({ name: "echo", arguments: { message: "hi" } }) }),
    close: () => void client.close()
  }
}

/** @param {ReadonlyArray<Processes.Product>} products This gateway first, a bare relay last. @param {Array<string>} notes */
const compared = async (products, notes) => {
  /** @type {Array<Processes.Gateway>} */
  const gateways = []
  for (const product of products) {
    try {
      gateways.push(await Processes.started(product, { program: everything, args: ["stdio"], count: 1 }))
    } catch (error) {
      // Ours and the relay are what the others are compared with.
      if (product === products[0] || product === Processes.bareRelay) throw error
      notes.push(Processes.leftOut(product.name, error))
    }
  }
  /** @type {Array<{ name: string, gateway?: Processes.Gateway, caller: Caller.Caller, took: Array<number>, medians: Array<number>, rates: Array<number>, cpu: number }>} */
  const measured = [{ name: "the server itself", caller: await direct(), took: [], medians: [], rates: [], cpu: 0 }]
  for (const gateway of gateways) {
    const caller = await Caller.open(gateway, inFlight)
    measured.push({ name: gateway.name, gateway, caller, took: [], medians: [], rates: [], cpu: 0 })
  }
  for (let round = 0; round <= rounds; round++) {
    for (const one of measured) {
      const cpu = () => one.gateway === undefined ? Number.NaN : Processes.cpu(one.gateway)
      const before = cpu()
      const [some, rate] = [await latencies(one.caller), await throughput(one.caller)]
      // The first round warms up.
      if (round === 0) continue
      one.took.push(...some)
      one.medians.push(common.median(some))
      one.rates.push(rate)
      one.cpu += (cpu() - before) / (calls + many) / rounds
    }
  }
  const rss = gateways.map(Processes.memory)
  for (const { caller } of measured) caller.close()
  /** @type {Array<string>} */
  const seen = []
  for (const gateway of gateways) seen.push(gateway.name === Processes.bareRelay.name ? "ends" : await killed(gateway))
  for (const { stop } of gateways) stop()

  const p50s = measured.map(({ medians }) => Math.min(...medians))
  const rates = measured.map(({ rates }) => Math.max(...rates))
  const best = {
    p50: Math.min(...p50s.slice(2, -1)),
    rate: Math.max(...rates.slice(2, -1)),
    rss: Math.min(...rss.slice(1, -1))
  }
  const [p50 = 0, rate = 0, size = 0] = [p50s[1], rates[1], rss[0]]
  notes.push(
    `Against the best of the others: p50 ${common.round(p50 / best.p50, 2)} times, calls a second ${
      common.round(rate / best.rate, 2)
    } times, memory ${common.round(size / best.rss, 2)} times; against a bare relay: p50 ${
      common.round(p50 / (p50s.at(-1) ?? 0), 2)
    } times`
  )
  return measured.map(({ cpu, name, took }, i) => ({
    name,
    figures: {
      "p50 ms": common.round(p50s[i] ?? 0, 2),
      "p99 ms": common.round(common.quantile(took, 0.99), 3),
      [`calls/s at ${inFlight}`]: Math.round(rates[i] ?? 0),
      ...(Number.isNaN(cpu) ? {} : { "CPU ms a call": common.round(cpu, 2) }),
      ...(i === 0 ? {} : { "RSS MB": Math.round(rss[i - 1] ?? 0), killed: seen[i - 1] ?? "" })
    },
    ...(i === 1
      ? {
        bound: "p50 <= 0.8, calls/s >= 1.5, memory <= 0.85 of the best",
        within: p50 <= 0.8 * best.p50 && rate >= 1.5 * best.rate && size <= 0.85 * best.rss
      }
      : {})
  }))
}

/** @type {Array<string>} */
const notes = []
const products = Processes.products(notes)
/** @type {Array<common.Result>} */
const parts = []
/** @param {string} name @param {string} title @param {(notes: Array<string>) => Promise<ReadonlyArray<common.Row>>} measure */
const run = async (name, title, measure) => {
  if (part !== "all" && part !== name) return
  const startedAt = performance.now()
  const said = notes.splice(0)
  const rows = await measure(said)
  parts.push({
    id: name,
    title,
    rows,
    notes: [...said, `This part took ${Math.round((performance.now() - startedAt) / 1000)} s`]
  })
}
await run(
  "calls",
  "Gateways in front of server-everything over stdio",
  (said) => compared([...products, Processes.bareRelay], said)
)
await run(
  "growth",
  "Gateways in front of 1, 10 and 50 servers over stdio, used by 1, 10, 50 and 200 clients",
  (said) => Growth.rows(products, seconds, said)
)
common.reportParts({ parts, json })
process.exit()
