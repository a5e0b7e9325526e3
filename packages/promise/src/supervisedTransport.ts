import { RelayTransport } from "./internal/RelayTransport.js"
import type { Server, TransportOptions } from "./Options.js"
import type { SupervisedTransport } from "./Transport.js"

/**
 * A transport for one client: the official one, or any other that accepts the SDK's transports. Lifeline uses the client's name,
 * capabilities and protocol version for every connection to the server, so the client notices no restart.
 * - A request waits for a server that is down, up to `timeouts.wait`. If the connection is lost during a request, Lifeline sends it again
 *   if that can do no harm. Otherwise the client gets a JSON-RPC error with code -32000; `data.fate` says whether it was `notSent` or its
 *   result is `unknown`. The client limits how long an answer may take: Lifeline does not limit `tools/call`, unless you give
 *   `timeouts.request`.
 * - Requests and notifications pass in both directions, with progress and cancellation.
 * - Lifeline declares `listChanged` for every list of the server, and notifies of lists that differ after a restart.
 * - `initialize` connects. If the cause of a failure is permanent, the client gets an error at once, otherwise when `connect` would reject.
 *   If a person has to log in, `send` rejects at once with UnauthorizedError, like the official transports.
 * - If the server comes back with another protocol version, the transport closes: it calls `onerror`, then `onclose`. After any other loss,
 *   Lifeline reconnects silently; `supervision` shows the loss.
 *
 * Throws ConfigError. Starts nothing before `initialize`. `close` ends everything and calls `onclose` once.
 *
 * @example
 * ```ts
 * import { supervisedTransport } from "@mcp-lifeline/client"
 * import { Client } from "@modelcontextprotocol/sdk/client/index.js"
 *
 * const client = new Client({ name: "my-agent", version: "1.0.0" })
 * await client.connect(supervisedTransport({ command: "npx", args: ["-y", "@modelcontextprotocol/server-everything"] }))
 * const { tools } = await client.listTools()
 * console.log(tools.length)
 * await client.close()
 * ```
 */
export const supervisedTransport = (server: Server, options: TransportOptions = {}): SupervisedTransport =>
  new RelayTransport(server, options)
