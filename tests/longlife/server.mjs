/**
 * The HTTP server of these tests, in a process of its own, so that its memory is not measured. Says its address, and does what
 * its parent tells it: `forget` every session, `restart`, `notify` on the streams, `count` what it saw. Ends with its parent.
 */
import { HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"

/** @typedef {import("@mcp-lifeline/testing").HttpExchange.Turn} Turn */

const server = await HttpFaultServer.open({
  tools: {
    echo: {},
    /** Answers so many milliseconds later. */
    late: {
      run: ({ arguments: { millis } }) =>
        new Promise((resolve) => setTimeout(() => resolve({ content: [{ type: "text", text: "late" }] }), millis))
    }
  }
})

// Half of the answers come as event streams; `late` does as its argument says, its stream begun at once.
let requests = 0
server.hook = ({ message, response, tool }) => {
  server.streaming = tool === "late" ? message?.params?.["arguments"]?.streamed === true : requests++ % 2 === 0
  if (tool === "late" && server.streaming) HttpExchange.sse(response).write(": begun\n\n")
  return undefined
}

let gets = 0
// What it saw is not kept for ever.
setInterval(() => {
  gets += server.count("GET")
  server.seen.length = server.applied.length = 0
}, 1000).unref()

process.on("message", async (/** @type {string} */ what) => {
  if (what === "forget") server.sessions.clear()
  if (what === "restart") await server.restart()
  if (what === "notify") server.notify("notifications/message", { level: "info", data: "hello" })
  process.send?.({ sessions: server.sessions.size, streams: server.streams.size, gets: gets + server.count("GET") })
})
process.on("disconnect", () => process.exit(0))
process.send?.(server.url)
