/** `httpServer.mjs 2025|2026` prints its port. Its tool `stop` stops the process before it answers. */
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"

const isStateless = process.argv[2] === "2026"
const sessions = new Set()

/** @param {string} method @param {any} params */
const answerOf = (method, params) => {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "h", version: "1" }
      }
    case "server/discover":
      return { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, ttlMs: 0, cacheScope: "private" }
    case "tools/list":
      return {
        tools: ["pid", "stop"].map((name) => ({ name, inputSchema: { type: "object" } })),
        ...(isStateless ? { ttlMs: 0, cacheScope: "private" } : {})
      }
    case "tools/call":
      if (params.name === "stop") process.kill(process.pid, "SIGSTOP")
      return { content: [{ type: "text", text: String(process.pid) }] }
    default:
      return {}
  }
}

const foreign = isStateless ? ["initialize", "ping"] : ["server/discover"]

/** @type {import("node:http").RequestListener} */
const take = async (request, response) => {
  if (request.method !== "POST") return void response.writeHead(request.method === "DELETE" ? 200 : 405).end()
  let text = ""
  for await (const chunk of request) text += chunk
  const { id, method, params } = JSON.parse(text)
  const begins = !isStateless && method === "initialize"
  const session = begins ? randomUUID() : request.headers["mcp-session-id"]
  if (begins) sessions.add(session)
  if (!isStateless && !sessions.has(session)) return void response.writeHead(session === undefined ? 400 : 404).end()
  if (id === undefined) return void response.writeHead(202).end()
  response.writeHead(200, { "content-type": "application/json", ...(begins ? { "mcp-session-id": session } : {}) })
  const answer = foreign.includes(method)
    ? { error: { code: -32601, message: "Method not found" } }
    : { result: { ...(isStateless ? { resultType: "complete" } : {}), ...answerOf(method, params) } }
  response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }))
}

const server = createServer((request, response) => void take(request, response))
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "object") console.log(address?.port)
})
