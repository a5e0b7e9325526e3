/**
 * Many connections in one process, as a child of the benchmark: `lifeline` by `connectAll`; `official` by the official Client, with a new one
 * and the same call again after any error, as its users do it. A parent drives it by messages: `{ ports, concurrency }` has it connect; `{ round }`
 * makes one call at every server at the same moment, with a pause of 100 ms after a failure, until all are answered; `"close"` ends it.
 */
import { connectAll } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as common from "../common.mjs"

/** @typedef {{ call: (i: number, id: string) => Promise<unknown>, close: () => Promise<unknown> }} Contender */

/** @param {number} port */
const urlOf = (port) => `http://127.0.0.1:${port}/mcp`

/** @type {Record<string, (ports: ReadonlyArray<number>, concurrency: number) => Promise<Contender>>} */
const contenders = {
  lifeline: async (ports, concurrency) => {
    const mcpServers = Object.fromEntries(ports.map((port, i) => [`s${i}`, { url: urlOf(port) }]))
    const fleet = await connectAll({ mcpServers }, {
      connectConcurrency: concurrency,
      waitTimeout: "5 minutes",
      require: "all"
    })
    return {
      call: (i, id) => fleet.callTool({ name: `s${i}__echo`, arguments: { id } }),
      close: () => fleet.close()
    }
  },
  official: async (ports) => {
    /** @param {number | undefined} port */
    const connected = async (port = 0) => {
      const client = new Client({ name: "bench", version: "1" })
      await client.connect(/** @type {any} */ (new StreamableHTTPClientTransport(new URL(urlOf(port)))))
      return client
    }
    /** @type {Array<Client>} */
    const clients = []
    for (const port of ports) clients.push(await connected(port))
    return {
      call: async (i, id) => {
        try {
          await clients[i]?.callTool({ name: "echo", arguments: { id } })
        } catch (error) {
          clients[i]?.close().catch(() => undefined)
          clients[i] = await connected(ports[i])
          throw error
        }
      },
      close: () => Promise.all(clients.map((client) => client.close()))
    }
  }
}

/** @type {Contender | undefined} */
let contender
let count = 0

/** @param {number} i @param {string} id */
const answered = async (i, id) => {
  for (let failed = 0;; failed++) {
    try {
      await contender?.call(i, id)
      return { at: performance.now(), failed }
    } catch {
      await common.sleep(100)
    }
  }
}

process.on(
  "message",
  async (/** @type {"close" | { ports: Array<number>, concurrency: number } | { round: string }} */ message) => {
    if (message === "close") {
      await contender?.close()
      process.exit()
    }
    if ("ports" in message) {
      count = message.ports.length
      contender = await contenders[process.argv[2] ?? ""]?.(message.ports, message.concurrency)
      return void process.send?.("ready")
    }
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    const all = await Promise.all(Array.from({ length: count }, (_, i) => answered(i, `${message.round} ${i}`)))
    const { system, user } = process.cpuUsage(cpu)
    process.send?.({
      took: all.map(({ at }) => at - startedAt),
      failed: all.reduce((sum, { failed }) => sum + failed, 0),
      cpu: (system + user) / 1000
    })
  }
)
process.once("disconnect", () => process.exit())
