/**
 * A server over HTTP of each era, each behind a proxy with which the network can go wrong. Does what its parent tells it, and ends with it.
 *
 *     node httpServers.mjs JOURNAL [logs]
 */
import { HttpExchange, HttpFault, HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { appendFileSync } from "node:fs"

/** @typedef {import("@mcp-lifeline/testing").HttpFaultServer.Call} Call */
/** @typedef {import("./plan.mjs").Fault} Fault */
/** @typedef {{ readonly opened: number, readonly closed: number, readonly excused: number, readonly sockets: number, readonly streams: number }} Counts */

const [, , journal = "", logs] = process.argv

/** @param {"2025" | "2026"} era */
const open = async (era) => {
  /** Sessions that a client has used after it began them: what it has never heard of it cannot end. @type {Set<string>} */
  const used = new Set()
  let [opened, excused, requests] = [0, 0, 0]

  /** @param {boolean} isRead @returns {(call: Call) => Promise<unknown>} */
  const work = (isRead) => async ({ arguments: { key, millis }, progress, session }) => {
    progress(1, undefined, key)
    const log = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: key } }
    for (const [stream, of] of logs === undefined ? [] : server.streams) {
      if (session !== undefined && of === session.id) stream.write(HttpExchange.event(log))
    }
    if (!isRead) appendFileSync(journal, `${JSON.stringify({ pid: process.pid, event: "apply", detail: key })}\n`)
    if (millis > 0) await new Promise((resolve) => setTimeout(resolve, millis))
    return HttpExchange.text(key)
  }
  const capabilities = { tools: {}, ...(era === "2025" ? { logging: {} } : {}) }
  const tools = { work: { run: work(false) }, read: { run: work(true), annotations: { readOnlyHint: true } } }
  const server = await HttpFaultServer.open({ era, capabilities, tools })
  const proxy = await TcpProxy.open(server.url)
  server.hook = ({ session }) => {
    server.streaming = requests++ % 2 === 0
    if (session !== undefined && server.sessions.has(session) && !used.has(session)) {
      used.add(session)
      opened++
    }
    return undefined
  }
  // What it saw is not kept for ever.
  setInterval(() => {
    server.seen.length = server.applied.length = 0
    for (const id of used) if (!server.sessions.has(id)) used.delete(id)
  }, 1000).unref()

  const heal = () => {
    server.heal()
    proxy.release()
  }
  /** @param {number} millis @param {() => void} undo */
  const later = (millis, undo) => void setTimeout(undo, millis)
  return {
    url: proxy.url,
    heal,
    /** @param {Fault} fault */
    fail: async ({ kind, millis }) => {
      switch (kind) {
        case "forget":
          return server.sessions.clear()
        case "restart":
          return server.restart()
        case "blackHole":
          excused++
          proxy.hold()
          return later(millis, () => proxy.release())
        case "cut":
          excused++
          return proxy.cut()
        case "lostAnswer":
          return void server.fail("tools/call", HttpFault.reset({ carriedOut: true }), 1)
        case "unavailable":
          excused++
          return later(millis, server.fail("POST", HttpFault.status(503, { retryAfter: 1 })))
      }
    },
    /** @returns {Counts} */
    counts: () => ({
      opened,
      closed: opened - [...used].filter((id) => server.sessions.has(id)).length,
      excused,
      sockets: proxy.open,
      streams: server.streams.size
    })
  }
}

const servers = { http25: await open("2025"), http26: await open("2026") }

/** @typedef {{ readonly name: keyof typeof servers, readonly what: "fail" | "heal" | "counts", readonly fault?: Fault }} Order */

process.on("message", async (/** @type {Order} */ { fault, name, what }) => {
  const server = servers[name]
  if (what === "fail" && fault !== undefined) await server.fail(fault)
  if (what === "heal") server.heal()
  process.send?.(server.counts())
})
process.on("disconnect", () => process.exit(0))
process.send?.({ http25: servers.http25.url, http26: servers.http26.url })
