import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { textOf } from "../answer.mjs"

/** @typedef {import("../client.js").Hooks} Hooks */

/** @param {any} transport @param {Hooks} hooks @param {import("@modelcontextprotocol/client").ClientOptions} [options] */
const over = async (transport, { log, timeoutMs }, options) => {
  const client = new Client({ name: "bench", version: "1.0.0" }, options)
  client.onerror = (error) => log(error.message)
  try {
    await client.connect(transport, { timeout: timeoutMs })
  } catch (error) {
    await client.close()
    throw error
  }
  return {
    /** @type {import("../client.js").Opened["call"]} */
    call: async (args, { timeoutMs }) =>
      textOf(await client.callTool({ name: "count", arguments: args }, { timeout: timeoutMs })),
    close: () => client.close()
  }
}

/** @type {import("../client.js").Client} */
export const client = {
  id: "official-v2",
  name: "official Client v2",
  package: "@modelcontextprotocol/client",
  transports: ["stdio", "http"],
  protocols: ["2025", "2026"],
  documentation: "https://ts.sdk.modelcontextprotocol.io/v2/",
  open: async (target, hooks) => {
    const options = hooks.protocol === "2026" ? { versionNegotiation: { mode: /** @type {const} */ ("auto") } } : {}
    if (target.kind === "stdio") return over(new StdioClientTransport({ ...target, stderr: "ignore" }), hooks, options)
    const transport = new StreamableHTTPClientTransport(new URL(target.url))
    const { call, close } = await over(transport, hooks, options)
    return {
      call,
      // Its documentation ends the session before the connection.
      close: () => transport.terminateSession().finally(close)
    }
  },
  underLifeline: (transport, hooks) => over(transport, hooks)
}
