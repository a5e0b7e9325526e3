/**
 * One client in a process of its own, so that it can be suspended with its server. Does what its parent tells it.
 *
 *     node caller.mjs official|renewed|confirmed|connect|transport
 */
import { connect, supervisedTransport } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

/** @typedef {import("../recovery/client.js").Target} Target */
/** @typedef {{ readonly tool: string, readonly millis: number, readonly timeoutMs: number }} Call */
/** @typedef {{ readonly number: number } & ({ readonly what: "open", readonly target: Target, readonly timeoutMs: number } | { readonly what: "call" } & Call | { readonly what: "close" })} Order */
/** @typedef {{ call: (call: Call) => Promise<unknown>, close: () => Promise<unknown> }} Caller */

const [, , kind = ""] = process.argv

/** @param {Target} target */
const configured = (target) =>
  target.kind === "http" ? { url: target.url } : { command: target.command, args: target.args, env: target.env }

/** @param {Target} target @returns {any} */
const transportOf = (target) =>
  target.kind === "http"
    ? new StreamableHTTPClientTransport(new URL(target.url))
    : new StdioClientTransport({ command: target.command, args: target.args, env: target.env, stderr: "ignore" })

/** @param {any} transport @param {number} timeout */
const official = async (transport, timeout) => {
  const client = new Client({ name: "liveness", version: "1.0.0" })
  client.onerror = () => {}
  try {
    await client.connect(transport, { timeout })
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}

/** @param {{ callTool: (...args: any) => Promise<unknown> }} client @param {Call} call */
const called = (client, { millis, timeoutMs, tool }) =>
  client.callTool({ name: tool, arguments: { millis } }, undefined, { timeout: timeoutMs })

/**
 * Replaces the Client after an error of a call, for which later calls wait. `confirms`: first asks it for its tools, and keeps it where it
 * answers in 10 s.
 *
 * @param {Target} target
 * @param {number} timeout
 * @param {boolean} confirms
 * @returns {Promise<Caller>}
 */
const renewing = async (target, timeout, confirms) => {
  const open = () => official(transportOf(target), timeout)
  let current = open()
  await current
  /** @param {Client} client */
  const lives = (client) => client.listTools(undefined, { timeout: 10_000 }).then(() => true, () => false)
  return {
    call: async (call) => {
      const used = current
      const client = await used
      try {
        return await called(client, call)
      } catch (error) {
        if (confirms && await lives(client)) throw error
        if (used === current) {
          current = client.close().catch(() => {}).then(open)
          current.catch(() => {})
        }
        throw error
      }
    },
    close: async () => (await current).close()
  }
}

/** @param {Target} target @param {number} timeoutMs @returns {Promise<Caller>} */
const opened = async (target, timeoutMs) => {
  if (kind === "renewed" || kind === "confirmed") return renewing(target, timeoutMs, kind === "confirmed")
  if (kind === "connect") {
    const client = await connect(configured(target), { signal: AbortSignal.timeout(timeoutMs) })
    return { call: (call) => called(client, call), close: () => client.close() }
  }
  const transport = kind === "transport"
    ? supervisedTransport(configured(target))
    : transportOf(target)
  const client = await official(transport, timeoutMs)
  return { call: (call) => called(client, call), close: () => client.close() }
}

/** @type {Caller | undefined} */
let caller

/** @param {Order} order @returns {Promise<string | undefined>} */
const obey = async (order) => {
  switch (order.what) {
    case "open":
      caller = await opened(order.target, order.timeoutMs)
      return undefined
    case "call": {
      if (caller === undefined) throw new Error("it is not open")
      const { content, isError } = /** @type {any} */ (await caller.call(order))
      if (isError === true) throw new Error(content?.[0]?.text)
      return content?.[0]?.text
    }
    case "close":
      await caller?.close()
      return undefined
  }
}

process.on("message", (/** @type {Order} */ order) => {
  /** @param {{ readonly text?: string | undefined, readonly error?: string }} answer */
  const answer = (answer) => process.connected && process.send?.({ number: order.number, ...answer })
  obey(order).then((text) => answer({ text }), (error) => answer({ error: String(error) }))
})
process.on("unhandledRejection", () => {})
process.on("disconnect", () => process.exit(0))
