/** The official Client of v2, whose transports are Lifeline's: `supervisedTransport`. */
import { Client as Official, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { places } from "./places.mjs"

export * from "@modelcontextprotocol/client"

export const Client = places({
  Http: StreamableHTTPClientTransport,
  Sse: SSEClientTransport,
  Stdio: StdioClientTransport
}).supervised(Official)
