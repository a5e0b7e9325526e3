/**
 * How long a crash lasts for a client of the gateway, and what the gateway adds to a call.
 *
 * Starts the gateway with its demo, as a user does; kills a server with SIGKILL; calls its tool until a call succeeds. The
 * gateway resends what may be resent, so usually the first call is the good one, and waits. The demo's HTTP server is started
 * again a second after its death: that second is in the figures. Between two kills the backend is left alone for
 * `--pause` seconds, so that the connection counts as stable and the backoff begins anew.
 *
 * The latency is that of `echo`, through the gateway and directly against the same server, in turns.
 *
 *     node benchmarks/recovery.mjs [--runs 5] [--pause 12] [--rounds 21] [--calls 100] [--json]
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { spawn } from "node:child_process"
import { realpathSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"

/** @typedef {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} Transport */

const { calls, json, pause, rounds, runs } = common.options({ runs: 5, pause: 12, rounds: 21, calls: 100 })
const root = fileURLToPath(new URL("..", import.meta.url))
const bin = join(root, "packages/gateway/dist/bin.js")
const everything = join(
  dirname(createRequire(realpathSync(bin)).resolve("@modelcontextprotocol/server-everything/package.json")),
  "dist/index.js"
)

/** @param {Transport} transport */
const connected = async (transport) => {
  const client = new Client({ name: "bench", version: "1.0.0" })
  await client.connect(transport)
  return client
}

/** @param {string} url */
const http = (url) => connected(/** @type {Transport} */ (new StreamableHTTPClientTransport(new URL(url))))

const gateway = spawn(process.execPath, [bin, "serve", "--port", "0"], {
  env: { ...process.env, NO_COLOR: "1" },
  stdio: ["ignore", "pipe", "inherit"]
})
process.once("exit", () => gateway.kill("SIGTERM"))
let printed = ""
gateway.stdout.setEncoding("utf8").on("data", (chunk) => printed += chunk)

/** The last match in what the gateway has printed, once it is another than `before`. @param {RegExp} pattern @param {string} [before] */
const prints = async (pattern, before) => {
  for (;;) {
    const found = [...printed.matchAll(pattern)].at(-1)?.[1]
    if (found !== undefined && found !== before) return found
    if (gateway.exitCode !== null) throw new Error(`the gateway has ended: ${printed}`)
    await common.sleep(5)
  }
}

const url = await prints(/^Serving (http:\S+)$/gm)
const client = await http(url)

/** @param {Client} client @param {string} name */
const echo = async (client, name) => {
  const result = await client.callTool({ name, arguments: { message: "hi" } })
  if (result["isError"] === true) throw new Error(JSON.stringify(result["content"]))
}

/** From the kill to the end of the first good call, in milliseconds. @param {string} backend @param {string} pid */
const outage = async (backend, pid) => {
  const startedAt = performance.now()
  process.kill(Number(pid), "SIGKILL")
  for (let attempts = 1;; attempts++) {
    const good = await echo(client, `${backend}__echo`).then(() => true, () => false)
    if (good) return { took: performance.now() - startedAt, attempts }
    await common.sleep(10)
  }
}

/** Process start and handshake of the stdio server, and one call, by the official Client alone. */
const freshStart = async () => {
  const startedAt = performance.now()
  const direct = await connected(new StdioClientTransport({ command: process.execPath, args: [everything, "stdio"] }))
  await echo(direct, "echo")
  const took = performance.now() - startedAt
  await direct.close()
  return took
}

/** @type {Record<string, { took: Array<number>, attempts: Array<number>, pid: string | undefined }>} */
const outages = {
  "every-stdio": { took: [], attempts: [], pid: undefined },
  "every-http": { took: [], attempts: [], pid: undefined }
}
/** @type {Array<number>} */
const starts = []
for (let i = 0; i < runs; i++) {
  await common.sleep(pause * 1000)
  starts.push(await freshStart())
  for (const [backend, known] of Object.entries(outages)) {
    known.pid = await prints(new RegExp(`kill -9 (\\d+) +# ${backend}`, "g"), known.pid)
    const { attempts, took } = await outage(backend, known.pid)
    known.took.push(took)
    known.attempts.push(attempts)
  }
}

/** @param {Client} client @param {string} name @param {number} calls */
const block = async (client, name, calls) => {
  const times = []
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now()
    await echo(client, name)
    times.push(performance.now() - startedAt)
  }
  return common.median(times)
}

/** @param {string} backend @param {Client} direct @returns {Promise<common.Row>} */
const latency = async (backend, direct) => {
  const name = `${backend}__echo`
  await block(client, name, calls)
  await block(direct, "echo", calls)
  const [through, straight] = [[0], [0]].map(() => /** @type {Array<number>} */ ([]))
  for (let i = 0; i < rounds; i++) {
    through?.push(await block(client, name, calls))
    straight?.push(await block(direct, "echo", calls))
  }
  await direct.close()
  const [a, b] = [common.median(through ?? []), common.median(straight ?? [])]
  return {
    name: `${backend}: a call`,
    figures: {
      "gateway us": common.round(a * 1000, 0),
      "direct us": common.round(b * 1000, 0),
      "ratio": common.round(a / b, 2)
    }
  }
}

/** The demo's HTTP server: its address is in the gateway's lines. */
const httpUrl = await prints(/every-http {2}Connected .*?(http:\/\/\S+)/g)
const latencies = [
  await latency(
    "every-stdio",
    await connected(new StdioClientTransport({ command: process.execPath, args: [everything, "stdio"] }))
  ),
  await latency("every-http", await http(httpUrl))
]
await client.close()

const start = common.median(starts)
const rows = Object.entries(outages).map(([backend, { attempts, took }]) => {
  const middle = common.median(took)
  const isStdio = backend === "every-stdio"
  return {
    name: `${backend}: kill -9 to good call`,
    figures: {
      "min ms": common.round(Math.min(...took), 0),
      "median ms": common.round(middle, 0),
      "max ms": common.round(Math.max(...took), 0),
      "calls made, most": Math.max(...attempts)
    },
    // A call waits all the while.
    bound: isStdio ? `<= ${common.round(start, 0)} + 50` : undefined,
    within: isStdio ? middle <= start + 50 : undefined
  }
})
const ended = new Promise((resolve) => gateway.once("exit", resolve))
gateway.kill("SIGTERM")
await ended
common.report({
  title: `Recovery through the gateway, ${runs} kills of each; latency, ${rounds} rounds of ${calls} calls`,
  rows: [...rows, ...latencies],
  notes: [`process start, handshake and one call by the official Client alone: ${common.round(start, 0)} ms (median)`],
  json
})
