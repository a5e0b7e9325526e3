/**
 * A bare relay between HTTP and a server over stdio, for one client at a time: what any gateway does at least. It gives each request an id of
 * its own, and its answer the client's. No session, stream, check, limit or second server, and nothing that starts the server again.
 *
 *     node relay.mjs PORT PROGRAM [ARGUMENT..]
 */
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import { createInterface } from "node:readline"

const [port, ...program] = process.argv.slice(2)
const server = spawn(process.execPath, program, { stdio: ["pipe", "pipe", "ignore"] })

/** What waits for its answer, by our ids. @type {Map<number, { id: unknown, response: import("node:http").ServerResponse }>} */
const waiting = new Map()
let last = 0

createInterface({ input: server.stdout }).on("line", (line) => {
  const message = JSON.parse(line)
  const request = waiting.get(message.id)
  if (request === undefined || "method" in message) return
  waiting.delete(message.id)
  request.response
    .writeHead(200, { "content-type": "application/json", "mcp-session-id": "one" })
    .end(JSON.stringify({ ...message, id: request.id }))
})

createServer((request, response) => {
  if (request.method !== "POST") return void response.writeHead(405).end()
  let text = ""
  request.setEncoding("utf8").on("data", (chunk) => text += chunk).on("end", () => {
    const message = JSON.parse(text)
    if (!("id" in message)) response.writeHead(202).end()
    else {
      waiting.set(++last, { id: message.id, response })
      message.id = last
    }
    server.stdin.write(`${JSON.stringify(message)}\n`)
  })
}).listen(Number(port), "127.0.0.1")
