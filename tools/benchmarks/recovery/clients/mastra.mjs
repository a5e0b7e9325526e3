import { textOf } from "../answer.mjs"
import { load } from "../rivals.mjs"

/** @type {import("../client.js").Client} */
export const client = {
  id: "mastra",
  name: "@mastra/mcp",
  package: "@mastra/mcp",
  rival: true,
  transports: ["stdio", "http"],
  protocols: ["2025", "2026"],
  documentation: "https://mastra.ai/reference/tools/mcp-client",
  open: async (target, { timeoutMs }) => {
    const { MCPClient } = await load("@mastra/mcp")
    const server = target.kind === "http"
      ? { url: new URL(target.url) }
      : { command: target.command, args: target.args, env: target.env, stderr: "ignore" }
    const client = new MCPClient({
      // Without it, a second one with the same servers is refused.
      id: `bench-${performance.now()}`,
      servers: { bench: server },
      timeout: timeoutMs
    })
    const tools = await client.listTools()
    if (tools.bench_count === undefined) {
      await client.disconnect()
      throw new Error("it did not connect")
    }
    return {
      // The timeout is the client's, for each of its attempts.
      call: async (args) => textOf(await tools.bench_count.execute(args)),
      close: () => client.disconnect()
    }
  }
}
