// A server whose answers to calls are hard to read, as the tool says: over stdio, or over HTTP (`events`, `json`) with sessions.
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import { createInterface } from "node:readline"

const [way = "stdio"] = process.argv.slice(2)

/** What it writes for an answer. @type {Record<string, (answer: string, id: unknown) => string>} */
const forms = {
  plain: (answer) => answer,
  brace: (answer) => `{ done } ${answer}`,
  trailing: (answer) => `${answer} trailing`,
  twice: (answer) => answer + answer,
  list: (answer) => `[${answer}]`,
  idNull: (answer, id) => answer.replace(`"id":${id}`, '"id":null'),
  errorNull: (answer) => answer.replace(/}$/, ',"error":null}'),
  member: (answer) => answer.replace(/}$/, ',"took":3}'),
  noVersion: (answer) => answer.replace('"jsonrpc":"2.0",', ""),
  nan: (answer) => answer.replace('"said"', "NaN"),
  cut: (answer) => answer.slice(0, -4),
  errorText: (_, id) => `{"jsonrpc":"2.0","id":${id},"error":"said: no"}`,
  errorOfNobody: () => '{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"said: no"}}'
}

/** @param {any} message */
const answerTo = ({ id, method, params }) => {
  if (id === undefined || method === undefined) return undefined
  const answer = (/** @type {object} */ result) => JSON.stringify({ jsonrpc: "2.0", id, result })
  switch (method) {
    case "initialize":
      return answer({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "unreadable", version: "1" }
      })
    case "tools/list":
      return answer({ tools: Object.keys(forms).map((name) => ({ name, inputSchema: { type: "object" } })) })
    case "tools/call":
      return forms[params.name]?.(answer({ content: [{ type: "text", text: "said" }] }), JSON.stringify(id))
    case "ping":
      return answer({})
    default:
      return JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } })
  }
}

if (way === "stdio") {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const answer = answerTo(JSON.parse(line))
    if (answer !== undefined) process.stdout.write(`${answer}\n`)
  })
} else {
  const http = createServer((request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    let text = ""
    request.setEncoding("utf8").on("data", (chunk) => (text += chunk)).on("end", () => {
      const message = JSON.parse(text)
      const answer = answerTo(message)
      if (answer === undefined) return void response.writeHead(202).end()
      const session = message.method === "initialize" ? { "Mcp-Session-Id": randomUUID() } : {}
      if (way === "json") {
        return void response.writeHead(200, { "Content-Type": "application/json", ...session }).end(answer)
      }
      response.writeHead(200, { "Content-Type": "text/event-stream", ...session })
      // Of a call, the stream stays open.
      response.write(`data: ${answer}\n\n`)
      if (message.method !== "tools/call") response.end()
    })
  })
  http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${/** @type {any} */ (http.address()).port}/mcp`))
}
