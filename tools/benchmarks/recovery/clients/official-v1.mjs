import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as Official from "../official.mjs"

/** @typedef {import("../client.js").Client} Benched */

/** @type {NonNullable<Benched["underLifeline"]>} */
const over = (transport, hooks) => {
  const client = new Client({ name: "bench", version: "1.0.0" })
  return Official.over(client, transport, hooks, (params, options) => client.callTool(params, undefined, options))
}

/** @satisfies {Benched} */
export const client = {
  id: "official-v1",
  name: "official Client v1",
  package: "@modelcontextprotocol/sdk",
  transports: /** @type {const} */ (["stdio", "http"]),
  documentation: "https://github.com/modelcontextprotocol/typescript-sdk/blob/v1.x/docs/client.md",
  /** @type {Benched["open"]} */
  open: (target, hooks) =>
    Official.opened(
      target,
      { Http: StreamableHTTPClientTransport, Stdio: StdioClientTransport },
      (transport) =>
        over(/** @type {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} */ (transport), hooks)
    ),
  underLifeline: over
}
