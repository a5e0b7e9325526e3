/**
 * Clients of a cluster that cost little, over sockets that stay open. Each request can enter at another replica.
 */
import { Agent } from "node:http"
import * as common from "../common.mjs"
import * as Caller from "../gateways/caller.mjs"

/** @typedef {import("./replicas.mjs").Replica} Replica */
/** @typedef {{ readonly call: (tool: string, at: Replica) => Promise<number> }} Client Calls a tool; resolves with the process that has started its server. */

export const agent = new Agent({ keepAlive: true, maxSockets: 256 })
/** Streams keep their sockets. */
const streams = new Agent({ maxSockets: Infinity })
let id = 0

/** @param {any} answer */
const starter = (answer) => {
  Caller.checked(answer)
  return Number(answer.result.content[0].text)
}

/** @param {string} text @param {unknown} _ @param {boolean} isWhole */
const whole = (text, _, isWhole) => isWhole ? Caller.parsed(text) : undefined

/** A client with a session that lives on `home`. @param {Replica} home @returns {Promise<Client & { readonly listen: (at: Replica) => void }>} */
export const session = async (home) => {
  const key = String(
    await Caller.exchange(
      { url: home.url, agent, body: JSON.stringify(Caller.initialize) },
      (_, headers, isWhole) => isWhole ? headers["mcp-session-id"] ?? "" : undefined
    )
  )
  const headers = { "mcp-session-id": key, "mcp-protocol-version": "2025-06-18" }
  await Caller.exchange(
    { url: home.url, agent, headers, body: JSON.stringify(Caller.initialized) },
    (_, __, isWhole) => isWhole || undefined
  )
  return {
    call: async (tool, { url }) =>
      starter(await Caller.exchange({ url, agent, headers, body: Caller.callOf(++id, tool) }, whole)),
    // It ends when the gateway does.
    listen: ({ url }) =>
      void Caller.exchange({ url, agent: streams, method: "GET", headers }, () => undefined).catch(() => undefined)
  }
}

/** A client of 2026-07-28, which has no session. @returns {Client} */
export const stateless = () => ({
  call: async (tool, { url }) => {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: ++id,
      method: "tools/call",
      params: {
        name: tool,
        arguments: {},
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {}
        }
      }
    })
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool }
    return starter(await Caller.exchange({ url, agent, headers, body }, whole))
  }
})

/** Waits until each tool answers, everywhere. @param {import("./replicas.mjs").Cluster} cluster @returns {Promise<ReadonlyArray<Replica>>} which replica has the server of each tool */
export const ready = async ({ replicas, tools }) => {
  const deadline = performance.now() + 60_000 + 1000 * tools.length
  for (;;) {
    try {
      /** @type {Array<Replica>} */
      const owners = []
      for (const at of replicas) {
        const client = await session(at)
        for (const [i, tool] of tools.entries()) {
          const pid = await client.call(tool, at)
          const owner = replicas.find((one) => one.pid === pid)
          if (owner === undefined) throw new Error(`${tool} was started by another process`)
          owners[i] = owner
        }
      }
      return owners
    } catch (error) {
      if (performance.now() > deadline) throw error
      await common.sleep(500)
    }
  }
}
