import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

/** @typedef {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} Transport */
/** @typedef {import("../client.js").Hooks} Hooks */

/** The text of a tool's answer. @param {any} result @returns {string} */
const textOf = ({ content, isError }) => {
  const text = String(content?.[0]?.text ?? "")
  if (isError === true) throw new Error(text)
  return text
}

/** @param {Transport} transport @param {Hooks} hooks */
const over = async (transport, { log, timeoutMs }) => {
  const client = new Client({ name: "bench", version: "1.0.0" })
  client.onerror = (error) => log(error.message)
  await client.connect(transport, { timeout: timeoutMs })
  return {
    /** @type {import("../client.js").Opened["call"]} */
    call: async (args, { timeoutMs }) =>
      textOf(await client.callTool({ name: "count", arguments: args }, undefined, { timeout: timeoutMs })),
    close: () => client.close()
  }
}

/** @type {import("../client.js").Client} */
export const client = {
  id: "official-v1",
  name: "official Client v1",
  package: "@modelcontextprotocol/sdk",
  transports: ["stdio", "http"],
  documentation: "https://github.com/modelcontextprotocol/typescript-sdk/blob/v1.x/docs/client.md",
  open: async (target, hooks) => {
    if (target.kind === "stdio") return over(new StdioClientTransport({ ...target, stderr: "ignore" }), hooks)
    const transport = new StreamableHTTPClientTransport(new URL(target.url))
    const { call, close } = await over(/** @type {Transport} */ (transport), hooks)
    return {
      call,
      close: async () => {
        // As its documentation says: the session is ended before the connection.
        await transport.terminateSession()
        await close()
      }
    }
  },
  underLifeline: over
}
