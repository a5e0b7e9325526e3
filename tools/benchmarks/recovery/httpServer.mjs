/**
 * A server over Streamable HTTP, as a process that can be killed and stopped. Does what its parent tells it, and ends with it.
 *
 *     node httpServer.mjs PORT JOURNAL 2025|2026
 */
import { HttpExchange, HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { appendFileSync } from "node:fs"

/**
 * What a parent can ask for. `listen` opens the port; `forget` loses every session, and says how they are refused; `forgetEach` does so after
 * each call, too; `expire` ends sessions that idle for so long; `crashInCall` kills the process in its next call, after the tool has run;
 * `cut` cuts the connection there; `silence` never answers what is asked in this time; `count` says how many sessions there are.
 *
 * @typedef {{ readonly what: "listen" | "crashInCall" | "cut" | "count" } | { readonly what: "forget" | "forgetEach", readonly status: 400 | 404 } | { readonly what: "expire" | "silence", readonly millis: number }} Order
 */

const [, , port = "", journal = "", protocol] = process.argv

let isDoomed = false
let forgets = false

/** @type {Map<string, number>} */
const counts = new Map()

// Event streams are how the official servers answer.
const server = new HttpFaultServer.HttpFaultServer({
  port: Number(port),
  era: protocol === "2026" ? "2026" : "2025",
  streaming: true,
  tools: {
    count: {
      inputSchema: { type: "object", properties: { key: { type: "string" } } },
      run: ({ arguments: { key } }) => {
        appendFileSync(journal, `${JSON.stringify({ pid: process.pid, event: "apply", detail: key })}\n`)
        if (isDoomed) {
          process.kill(process.pid, "SIGKILL")
          // The signal may reach another thread of this process: nothing more is done meanwhile.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
        }
        counts.set(key, (counts.get(key) ?? 0) + 1)
        if (forgets) server.sessions.clear()
        return HttpExchange.text(String(counts.get(key)))
      }
    }
  }
})

/** @param {Order} order */
const obey = async (order) => {
  switch (order.what) {
    case "listen":
      return server.start()
    case "crashInCall":
      isDoomed = true
      return
    case "cut":
      return void server.fail("tools/call", HttpFault.cut({ carriedOut: true }), 1)
    case "silence":
      return void setTimeout(server.fail(() => true, HttpFault.hang()), order.millis)
    case "forgetEach":
    case "forget":
      forgets = order.what === "forgetEach"
      server.lostSession = order.status
      return server.sessions.clear()
    case "expire":
      server.idleTtl = order.millis
      for (const id of server.sessions.keys()) server.sessions.use(id, order.millis)
  }
}

process.on("message", async (/** @type {Order & { readonly number: number }} */ order) => {
  const error = await obey(order).then(() => undefined, String)
  process.send?.({ number: order.number, error, sessions: server.sessions.size })
})
process.on("disconnect", () => process.exit(0))
process.once("SIGTERM", () => process.exit(0))
