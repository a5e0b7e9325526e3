import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { textOf } from "../answer.mjs"

/** @typedef {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} Transport */
/** @typedef {import("../client.js").Client} Benched */
/** @typedef {import("../client.js").Hooks} Hooks */

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

/** @type {Benched["open"]} */
export const open = async (target, hooks) => {
  if (target.kind === "stdio") return over(new StdioClientTransport({ ...target, stderr: "ignore" }), hooks)
  const transport = new StreamableHTTPClientTransport(new URL(target.url))
  const { call, close } = await over(/** @type {Transport} */ (transport), hooks)
  return {
    call,
    // Its documentation ends the session before the connection.
    close: () => transport.terminateSession().finally(close)
  }
}

/** @type {Benched} */
export const client = {
  id: "official-v1",
  name: "official Client v1",
  package: "@modelcontextprotocol/sdk",
  transports: ["stdio", "http"],
  documentation: "https://github.com/modelcontextprotocol/typescript-sdk/blob/v1.x/docs/client.md",
  open,
  underLifeline: over
}
