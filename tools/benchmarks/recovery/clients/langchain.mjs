import { load } from "../rivals.mjs"

/** @typedef {import("../client.js").Opened} Opened */

/** A tool gives its text, or content blocks. @param {any} answer */
const textOf = (answer) => typeof answer === "string" ? answer : String(answer?.[0]?.text ?? JSON.stringify(answer))

/** @param {ReadonlyArray<any>} tools @returns {Opened["call"]} */
const callOf = (tools) => async (args, { timeoutMs }) => {
  const tool = tools.find(({ name }) => name === "count")
  if (tool === undefined) throw new Error("there are no tools")
  return textOf(await tool.invoke(args, { timeout: timeoutMs }))
}

/** @type {import("../client.js").Client} */
export const client = {
  id: "langchain",
  name: "@langchain/mcp-adapters",
  package: "@langchain/mcp-adapters",
  rival: true,
  modules: ["@langchain/mcp-adapters", "@modelcontextprotocol/sdk/client/index.js"],
  transports: ["stdio", "http"],
  documentation: "https://github.com/langchain-ai/langchainjs/blob/main/libs/langchain-mcp-adapters/README.md",
  open: async (target) => {
    const { MultiServerMCPClient } = await load("@langchain/mcp-adapters")
    // The values of its page.
    const server = target.kind === "http"
      ? { transport: "http", url: target.url, reconnect: { enabled: true, maxAttempts: 5, delayMs: 2000 } }
      : {
        transport: "stdio",
        command: target.command,
        args: target.args,
        env: target.env,
        stderr: "ignore",
        restart: { enabled: true, maxAttempts: 3, delayMs: 1000 }
      }
    const client = new MultiServerMCPClient({ mcpServers: { bench: server }, useStandardContentBlocks: true })
    try {
      await client.initializeConnections()
    } catch (error) {
      await client.close()
      throw error
    }
    return {
      // The tools of a connection end with it, so they are asked for before each call; the client keeps them.
      call: async (args, options) => callOf(await client.getTools())(args, options),
      close: () => client.close()
    }
  },
  underLifeline: async (transport, { log, timeoutMs }) => {
    const { Client } = await load("@modelcontextprotocol/sdk/client/index.js")
    const { loadMcpTools } = await load("@langchain/mcp-adapters")
    const client = new Client({ name: "bench", version: "1.0.0" })
    client.onerror = (/** @type {Error} */ error) => log(error.message)
    await client.connect(transport, { timeout: timeoutMs })
    return { call: callOf(await loadMcpTools("bench", client)), close: () => client.close() }
  }
}
