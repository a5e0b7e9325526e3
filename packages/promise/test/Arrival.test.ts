/** What a server asks just before it answers a call is handled before the call resolves, also if the client reads both at once. */
import { connect, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import type { Server } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { CallToolResultSchema, CreateMessageRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import * as Effect4 from "../../effect4/test/fixtures/Door.js"

const program = fileURLToPath(new URL("fixtures/asks.mjs", import.meta.url))

const overHttp = async (): Promise<AsyncDisposable & { readonly server: Server }> => {
  const results: Readonly<Record<string, object>> = {
    initialize: {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name: "asks", version: "1.0.0" }
    },
    "tools/list": { tools: [{ name: "ask", inputSchema: { type: "object" } }] },
    "tools/call": { content: [] }
  }
  const messages = [{ role: "user", content: { type: "text", text: "late" } }]
  let asked = 0
  const http = createServer(async (request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    let body = ""
    for await (const chunk of request) body += chunk
    const { id, method } = JSON.parse(body) as { readonly id?: number; readonly method: string }
    if (id === undefined || method === undefined) return void response.writeHead(202).end()
    const sampling = { id: ++asked, method: "sampling/createMessage", params: { messages, maxTokens: 1 } }
    const result = results[method]
    const answer = result === undefined ? { id, error: { code: -32601, message: "no such method" } } : { id, result }
    const all = method === "tools/call" ? [sampling, answer] : [answer]
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.end(all.map((one) => `data: ${JSON.stringify({ jsonrpc: "2.0", ...one })}\n\n`).join(""))
  })
  http.listen(0, "127.0.0.1")
  await once(http, "listening")
  return {
    server: { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp` },
    [Symbol.asyncDispose]: async () => {
      const closed = once(http.close(), "close")
      http.closeAllConnections()
      await closed
    }
  }
}

const servers: Readonly<Record<string, () => Promise<Partial<AsyncDisposable> & { readonly server: Server }>>> = {
  stdio: async () => ({ server: { command: process.execPath, args: [program, "late"], protocol: "2025" } }),
  http: overHttp
}

interface Asking extends AsyncDisposable {
  readonly call: () => Promise<unknown>
}

const params = { name: "ask", arguments: {} }

const doors: Readonly<Record<string, (server: Server, sampling: () => never) => Promise<Asking>>> = {
  "connect, callTool": async (server, sampling) => {
    const client = await connect(server, { handlers: { sampling } })
    return { call: () => client.callTool(params), [Symbol.asyncDispose]: () => client.close() }
  },
  "connect, request": async (server, sampling) => {
    const client = await connect(server, { handlers: { sampling } })
    const request = { method: "tools/call", params } as const
    return { call: () => client.request(request, CallToolResultSchema), [Symbol.asyncDispose]: () => client.close() }
  },
  "a client of a fleet": async (server, sampling) => {
    const fleet = await connectAll({ mcpServers: { one: server } }, { handlers: { sampling } })
    const client = fleet.client("one")
    return { call: () => client.callTool(params), [Symbol.asyncDispose]: () => fleet.close() }
  },
  "a fleet whose client nobody has": async (server, sampling) => {
    const fleet = await connectAll({ mcpServers: { one: server } }, { handlers: { sampling } })
    const call = () => fleet.callTool({ ...params, name: "one__ask" })
    return { call, [Symbol.asyncDispose]: () => fleet.close() }
  },
  "a backend of Effect 4": async (server, sampling) => {
    const client = await Effect4.open(server, { handlers: { sampling } })
    return { call: () => client.callTool(params), [Symbol.asyncDispose]: () => client.close() }
  },
  "supervisedTransport, request": async (server, sampling) => {
    const client = new Client({ name: "a-test", version: "1.0.0" }, { capabilities: { sampling: {} } })
    client.setRequestHandler(CreateMessageRequestSchema, sampling)
    await client.connect(supervisedTransport(server))
    const request = { method: "tools/call", params } as const
    return { call: () => client.request(request, CallToolResultSchema), [Symbol.asyncDispose]: () => client.close() }
  }
}

describe.each(Object.keys(servers))("over %s", (kind) => {
  it.each(Object.keys(doors))("[F2:real C8] a question is handled before the answer behind it: %s", async (door) => {
    await using served = { [Symbol.asyncDispose]: async () => undefined, ...await servers[kind]!() }
    const happened: Array<string> = []
    await using asking = await doors[door]!(served.server, () => {
      happened.push("asked")
      throw new Error("not now")
    })
    for (let round = 0; round < 3; round++) {
      await asking.call().then(() => happened.push("answered"))
      assert.deepStrictEqual(happened.splice(0), ["asked", "answered"])
    }
  })
})
