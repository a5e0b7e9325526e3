import { textOf } from "../answer.mjs"
import { load } from "../rivals.mjs"

/** @type {import("../client.js").Client} */
export const client = {
  id: "openai-agents",
  name: "@openai/agents",
  package: "@openai/agents",
  rival: true,
  transports: ["stdio", "http"],
  protocols: ["2025", "2026"],
  documentation: "https://openai.github.io/openai-agents-js/guides/mcp/",
  open: async (target, { timeoutMs }) => {
    const { MCPServerStdio, MCPServerStreamableHttp } = await load("@openai/agents")
    const options = { name: "bench", timeout: timeoutMs, clientSessionTimeoutSeconds: timeoutMs / 1000 }
    const server = target.kind === "http"
      ? new MCPServerStreamableHttp({ ...options, url: target.url })
      : new MCPServerStdio({ ...options, command: target.command, args: target.args, env: target.env })
    try {
      await server.connect()
      await server.listTools()
    } catch (error) {
      await server.close()
      throw error
    }
    return {
      // What `callTool` gives, and whether it is an error.
      call: async (args) => textOf(await server.callToolResult("count", args)),
      close: () => server.close()
    }
  }
}
