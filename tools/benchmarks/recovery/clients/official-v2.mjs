import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import * as Official from "../official.mjs"

/** @param {unknown} transport @param {import("../client.js").Hooks} hooks @param {import("@modelcontextprotocol/client").ClientOptions} [options] */
const over = (transport, hooks, options) => {
  const client = new Client({ name: "bench", version: "1.0.0" }, options)
  return Official.over(client, transport, hooks, (params, options) => client.callTool(params, options))
}

/** @type {import("../client.js").Client} */
export const client = {
  id: "official-v2",
  name: "official Client v2",
  package: "@modelcontextprotocol/client",
  transports: ["stdio", "http"],
  protocols: ["2025", "2026"],
  documentation: "https://ts.sdk.modelcontextprotocol.io/v2/",
  open: (target, hooks) => {
    const options = hooks.protocol === "2026" ? { versionNegotiation: { mode: /** @type {const} */ ("auto") } } : {}
    const transports = { Http: StreamableHTTPClientTransport, Stdio: StdioClientTransport }
    return Official.opened(target, transports, (transport) => over(transport, hooks, options))
  },
  underLifeline: (transport, hooks) => over(transport, hooks)
}
