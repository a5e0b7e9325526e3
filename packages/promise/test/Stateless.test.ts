import { supervisedTransport } from "@mcp-lifeline/client"
import { toNodeHandler } from "@modelcontextprotocol/node"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { createMcpHandler, inputRequired, Server } from "@modelcontextprotocol/server"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import { doors } from "./fixtures/Door.js"

const serve = async (): Promise<AsyncDisposable & { readonly url: string }> => {
  const handler = toNodeHandler(createMcpHandler(() => {
    const server = new Server({ name: "stateless", version: "1" }, { capabilities: { tools: {} } })
    server.setRequestHandler("tools/list", () => ({ tools: [{ name: "echo", inputSchema: { type: "object" } }] }))
    server.setRequestHandler("tools/call", ({ params }, { mcpReq }) => {
      const { inputResponses } = mcpReq as { readonly inputResponses?: Record<string, unknown> }
      if (params.name === "ask" && inputResponses === undefined) {
        const requestedSchema = { type: "object", properties: {} } as const
        return inputRequired({
          inputRequests: { name: inputRequired.elicit({ message: "Name?", requestedSchema }) }
        })
      }
      const text = params.name === "ask"
        ? JSON.stringify(inputResponses)
        : `Echo: ${String(params.arguments?.["message"])}`
      return { content: [{ type: "text", text }] }
    })
    return server
  }, { legacy: "reject" }))
  const http = createServer((request, response) => void handler(request as never, response))
  http.listen(0, "127.0.0.1")
  await once(http, "listening")
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      http.close()
      http.closeAllConnections()
      await once(http, "close")
    }
  }
}

const echo = { name: "echo", arguments: { message: "hi" } }

describe.each(["auto", "2026"] as const)("a server without sessions, protocol %s", (protocol) => {
  it.each(doors)("[E1:real] is called by %s", async (_, open) => {
    await using server = await serve()
    await using client = await open({ url: server.url, protocol })
    assert.deepInclude(await client.callTool(echo), { content: [{ type: "text", text: "Echo: hi" }] })
    assert.strictEqual(client.status.protocolVersion, "2026-07-28")
    await client.ping()
  })

  it("is called by a Client of the official SDK v1 over supervisedTransport, in its own version", async () => {
    await using server = await serve()
    const client = new Client({ name: "test", version: "1" }, { capabilities: { elicitation: { form: {} } } })
    client.setRequestHandler(
      ElicitRequestSchema,
      ({ params }) => ({ action: "accept", content: { to: params.message } })
    )
    await client.connect(supervisedTransport({ url: server.url, protocol }))
    try {
      assert.deepInclude(await client.callTool(echo), { content: [{ type: "text", text: "Echo: hi" }] })
      assert.deepStrictEqual((await client.listTools()).tools.map(({ name }) => name), ["echo"])
      await client.ping()
      // What the server wants is asked of the client, as its own version has it.
      assert.deepInclude(await client.callTool({ name: "ask" }), {
        content: [{ type: "text", text: '{"name":{"action":"accept","content":{"to":"Name?"}}}' }]
      })
    } finally {
      await client.close()
    }
  })
})
