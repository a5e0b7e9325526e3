// A server that writes its numbers as few JSON libraries of JavaScript would, and says what it was sent: over stdio, or over HTTP (`json`, `events`).
// It speaks both forms of the protocol, or only that with sessions (`sessions`).
import { createServer } from "node:http"
import { createInterface } from "node:readline"

const [way = "stdio", form = "sessions"] = process.argv.slice(2)

const numbers =
  '{"id":9007199254740993,"one":1.0,"huge":1e400,"zero":-0,"small":1E-07,"in":[568105584918935294,{"price":10.50}]}'

const schema = `{"type":"object","properties":{"n":{"type":"integer","maximum":9223372036854775807,"multipleOf":1.0}}}`
const tool = `{"name":"add","inputSchema":${schema}}`
const introduced = `"capabilities":{"tools":{}},"serverInfo":{"name":"numbers","version":"1"}`

/** @param {string} method @param {string} text @param {any} params */
const resultOf = (method, text, params) => {
  if (method === "initialize") return `{"protocolVersion":${JSON.stringify(params.protocolVersion)},${introduced}}`
  if (method === "server/discover" && form === "both") {
    return `{"supportedVersions":["2026-07-28"],${introduced},"resultType":"complete","ttlMs":0,"cacheScope":"private"}`
  }
  if (method === "tools/list") {
    return `{"tools":[${tool}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}`
  }
  if (method === "tools/call") {
    const content = JSON.stringify([{ type: "text", text }])
    return `{"content":${content},"structuredContent":${numbers},"_meta":{"x":2.0},"resultType":"complete"}`
  }
  return method === "ping" ? "{}" : undefined
}

/** The messages that answer a message. @param {string} text */
const answers = (text) => {
  const { id, method, params } = JSON.parse(text)
  if (id === undefined || method === undefined) return []
  const result = resultOf(method, text, params)
  if (result === undefined) {
    return [`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"no ${method}"}}`]
  }
  const token = params?._meta?.progressToken
  const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${
    JSON.stringify(token)
  },"progress":1.0,"total":4.50}}`
  return [
    ...(method === "tools/call" && token !== undefined ? [progress] : []),
    `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`
  ]
}

if (way === "stdio") {
  createInterface({ input: process.stdin }).on("line", (line) => {
    for (const answer of answers(line)) process.stdout.write(`${answer}\n`)
  })
} else {
  const server = createServer((request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    let text = ""
    request.setEncoding("utf8").on("data", (chunk) => (text += chunk)).on("end", () => {
      const all = answers(text)
      if (all.length === 0) return void response.writeHead(202).end()
      if (way === "json") return void response.writeHead(200, { "content-type": "application/json" }).end(all.at(-1))
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.end(all.map((one) => `data: ${one}\n\n`).join(""))
    })
  })
  server.listen(0, "127.0.0.1", () => {
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
    console.log(`http://127.0.0.1:${port}/mcp`)
  })
}
