/**
 * The reference server for the revisions with sessions, on the official SDK: `node sessions.mjs stdio`, or `http`, which writes its URL.
 */
import { InMemoryEventStore } from "@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import * as types from "@modelcontextprotocol/sdk/types.js"
import { randomUUID } from "node:crypto"
import { askingTools, completion, prompts, resources, tools as common } from "./fixtures.mjs"
import { listen } from "./listen.mjs"

const tools = [...common, ...askingTools]

const make = () => {
  const server = new Server({ name: "reference", version: "1.0.0" }, {
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {}
    }
  })
  /** @type {(schema: any, answer: (request: any, extra: any) => any) => void} */
  const handle = server.setRequestHandler.bind(server)
  handle(types.ListToolsRequestSchema, () => ({ tools: tools.map(({ definition }) => definition) }))
  handle(types.CallToolRequestSchema, ({ params }, { _meta, closeSSEStream, sendNotification, sendRequest }) => {
    const found = tools.find(({ definition }) => definition.name === params.name)
    if (found === undefined) throw new types.McpError(types.ErrorCode.InvalidParams, `Unknown tool: ${params.name}`)
    const progressToken = _meta?.progressToken
    return found.call(params.arguments ?? {}, {
      log: (data) => sendNotification({ method: "notifications/message", params: { level: "info", data } }),
      progress: async (progress, total) => {
        if (progressToken === undefined) return
        await sendNotification({ method: "notifications/progress", params: { progressToken, progress, total } })
      },
      ask: (method, params) => sendRequest({ method, params }, types.ResultSchema),
      cut: () => closeSSEStream?.()
    })
  })
  handle(types.ListPromptsRequestSchema, () => ({
    prompts: Object.entries(prompts).map(([name, { definition }]) => ({ name, ...definition }))
  }))
  handle(types.GetPromptRequestSchema, ({ params }) => {
    const found = prompts[params.name]
    if (found === undefined) throw new types.McpError(types.ErrorCode.InvalidParams, `Unknown prompt: ${params.name}`)
    return found.get(params.arguments ?? {})
  })
  handle(types.ListResourcesRequestSchema, () => ({ resources: resources.list }))
  handle(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: resources.templates }))
  handle(types.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const found = resources.read(uri)
    if (found === undefined) throw new types.McpError(types.ErrorCode.InvalidParams, "Resource not found", { uri })
    return found
  })
  handle(types.SubscribeRequestSchema, () => ({}))
  handle(types.UnsubscribeRequestSchema, () => ({}))
  handle(types.CompleteRequestSchema, () => completion)
  return server
}

if (process.argv[2] === "stdio") await make().connect(new StdioServerTransport())
else {
  /** @type {Map<string, StreamableHTTPServerTransport>} */
  const sessions = new Map()
  const begin = async () => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new InMemoryEventStore(),
      retryInterval: 100,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id)
    })
    await make().connect(/** @type {any} */ (transport))
    return transport
  }
  listen(async (request, response) => {
    const id = request.headers["mcp-session-id"]
    const transport = id === undefined ? await begin() : sessions.get(String(id))
    if (transport === undefined) response.writeHead(404).end()
    else await transport.handleRequest(request, response)
  })
}
