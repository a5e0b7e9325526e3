import { textOf } from "../answer.mjs"
import { load } from "../rivals.mjs"
import { entryOf } from "../target.mjs"

/** @type {import("../client.js").Client} */
export const client = {
  id: "mcp-use",
  name: "mcp-use",
  package: "mcp-use",
  rival: true,
  modules: ["mcp-use/client"],
  transports: ["stdio", "http"],
  documentation: "https://mcp-use.com/docs/typescript/client",
  open: async (target) => {
    process.env["MCP_USE_ANONYMIZED_TELEMETRY"] = "false"
    const { MCPClient } = await load("mcp-use/client")
    // No timeout of connecting is documented; over HTTP, its default is 10 s.
    const client = new MCPClient({ mcpServers: { bench: entryOf(target) } })
    try {
      await client.createAllSessions()
    } catch (error) {
      await client.closeAllSessions()
      throw error
    }
    const session = client.getSession("bench")
    return {
      call: async (args, { timeoutMs }) => textOf(await session.callTool("count", args, { timeout: timeoutMs })),
      close: () => client.closeAllSessions()
    }
  }
}
