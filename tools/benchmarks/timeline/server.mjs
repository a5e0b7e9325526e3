/**
 * A server whose tools take a while, so that a fault finds calls underway: `read` only reads, and `write` has an effect, which it records
 * in a file before it answers. Both answer with the id of the process.
 *
 *     node server.mjs stdio|http FILE MILLISECONDS
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { appendFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { serveHttp } from "../fixtures/echo.mjs"

const [kind, file = "", millis] = process.argv.slice(2)

const make = () => {
  const server = new Server({ name: "timeline", version: "1.0.0" }, { capabilities: { tools: {} } })
  const inputSchema = { type: /** @type {const} */ ("object"), properties: { key: { type: "string" } } }
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [{ name: "read", inputSchema, annotations: { readOnlyHint: true } }, { name: "write", inputSchema }]
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    if (params.name === "write") appendFileSync(file, `${params.arguments?.["key"]}\n`)
    await sleep(Number(millis))
    return { content: [{ type: "text", text: String(process.pid) }] }
  })
  return server
}

if (kind === "http") await serveHttp(make)
else await make().connect(new StdioServerTransport())
