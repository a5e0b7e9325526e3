/** Lifeline for the classes of v1. */
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { places } from "./places.mjs"

export const { mirror, serverOf, supervised } = places({
  Http: StreamableHTTPClientTransport,
  Sse: SSEClientTransport,
  Stdio: StdioClientTransport
})
