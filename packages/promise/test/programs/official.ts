/**
 * How the programs here connect with the official SDK: what a project has in a file of its own once it has two servers.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { ClientCapabilities, Implementation } from "@modelcontextprotocol/sdk/types.js"

export type Server = { command: string; args: Array<string> } | { url: string }

export const connect = async (
  server: Server,
  { capabilities = {}, clientInfo = { name: "a-program", version: "1.0.0" } }: {
    capabilities?: ClientCapabilities
    clientInfo?: Implementation
  } = {}
): Promise<Client> => {
  const client = new Client(clientInfo, { capabilities })
  const transport = "url" in server
    ? new StreamableHTTPClientTransport(new URL(server.url))
    : new StdioClientTransport({ ...server, stderr: "ignore" })
  await client.connect(transport as Transport)
  return client
}
