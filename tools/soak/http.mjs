/**
 * Requests of clients of a gateway: over sockets of their own, so that a client can go away without a word, to one gateway or, in turn, to
 * several behind a load balancer.
 */
import { Agent, fetch } from "undici"

/** @typedef {(url: string | URL, init?: any) => Promise<any>} Fetch */

/** How many of several gateways are tried, each twice. @param {ReadonlyArray<string>} urls */
export const make = (urls) => {
  // A socket that is not needed is closed soon, so that it is not there when the gateway is measured.
  const agent = new Agent({ connections: 64, keepAliveTimeout: 1000, keepAliveMaxTimeout: 1000 })
  let [turn, isGone] = [0, false]
  /** @type {Fetch} */
  const send = async (given, init) => {
    if (isGone) throw new TypeError("fetch failed: the client has gone")
    if (urls.length < 2) return fetch(given, { ...init, dispatcher: agent })
    for (let attempt = 1;; attempt++) {
      const to = new URL(urls[turn++ % urls.length] ?? "")
      const last = attempt === 2 * urls.length
      try {
        const response = await fetch(to, { ...init, dispatcher: agent })
        if (response.status !== 503 || last) return response
        await response.body?.cancel()
      } catch (error) {
        const { code } = Object(/** @type {Error} */ (error).cause)
        if (code !== "ECONNREFUSED" || last) throw error
      }
    }
  }
  return {
    fetch: send,
    close: () => agent.destroy(),
    leave: () => {
      isGone = true
      void agent.destroy()
    }
  }
}

/** The messages of an answer: one of JSON, or those of an event stream. @param {string} text @returns {Array<any>} */
const messages = (text) =>
  text.startsWith("{")
    ? [JSON.parse(text)]
    : text.split("\n").flatMap((line) => line.startsWith("data: {") ? [JSON.parse(line.slice(6))] : [])

/** What 2026 has in each request. */
const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "soak", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

/** @param {Fetch} send @param {string} url @param {"2025" | "2026"} era @param {(data: unknown) => void} onLog */
export const plainClient = async (send, url, era, onLog) => {
  let id = 0
  /** @type {Record<string, string>} */
  const own = { "mcp-protocol-version": era === "2026" ? "2026-07-28" : "2025-11-25" }

  /** @param {Record<string, unknown>} message @param {Record<string, string>} more @param {AbortSignal} [signal] */
  const post = (message, more = {}, signal) =>
    send(url, {
      method: "POST",
      headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...own, ...more },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      signal
    })

  /** @param {string} method @param {Record<string, any>} params @param {Record<string, string>} headers @param {AbortSignal} [signal] @param {(message: string) => void} [onProgress] */
  const ask = async (method, params, headers = {}, signal, onProgress) => {
    const asked = ++id
    const response = await post({ id: asked, method, params }, headers, signal)
    const text = await response.text()
    const all = messages(text)
    for (const { method, params } of all) {
      if (method === "notifications/progress") onProgress?.(String(params.message ?? ""))
      if (method === "notifications/message") onLog(params.data)
    }
    // What is refused as a whole has no id.
    const answer = all.find(({ id, method }) =>
      method === undefined && (id === asked || id === null || id === undefined)
    )
    if (answer?.result !== undefined) return { result: answer.result, response }
    const { code, data, message = `HTTP ${response.status}: ${text.slice(0, 200)}` } = answer?.error ?? {}
    throw Object.assign(new Error(message), { code, data })
  }

  if (era === "2025") {
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "soak", version: "1" } }
    const { response } = await ask("initialize", params)
    own["mcp-session-id"] = response.headers.get("mcp-session-id") ?? ""
    await (await post({ method: "notifications/initialized" })).text()
  }
  return {
    /** @param {string} name @param {Record<string, unknown>} args @param {AbortSignal} signal @param {(message: string) => void} onProgress */
    call: async (name, args, signal, onProgress) => {
      const _meta = { progressToken: id + 1, ...(era === "2026" ? meta : {}) }
      const headers = era === "2026" ? { "mcp-method": "tools/call", "mcp-name": name } : {}
      return (await ask("tools/call", { name, arguments: args, _meta }, headers, signal, onProgress)).result
    },
    end: async () => {
      if (era === "2025") await (await send(url, { method: "DELETE", headers: own })).text()
    }
  }
}
