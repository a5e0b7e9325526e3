/**
 * A supervised server under any client that takes a transport.
 */
import { RelayTransport } from "./internal/RelayTransport.js"
import type { Server, TransportOptions } from "./Options.js"
import type { SupervisedTransport } from "./Transport.js"

/**
 * A transport for one client, of the official SDK or of any other kind that takes the SDK's transports. The client says
 * who it is, what it can do and which protocol version it speaks; the server is connected with that, once and again on every
 * later connection, so that the client sees nothing of a restart.
 *
 * - A request made while the server is down waits for it, up to `timeouts.wait`. One that is cut off is sent again where
 *   that can do no harm; otherwise it is answered with a JSON-RPC error: code -32000, and in `data.fate` whether it was
 *   `notSent` or its result is `unknown`. How long to wait for an answer is the client's own affair; for `tools/call` we
 *   set no bound unless `timeouts.request` is given.
 * - Requests and notifications pass in both directions, with their progress and cancellation.
 * - `listChanged` is declared to the client for every list that the server has, and a list that has changed over a
 *   restart is announced.
 * - `initialize` connects: it is answered with an error at once where the cause is permanent, and otherwise when
 *   `connect` would reject. Where a person has to log in, the client is rejected at once with UnauthorizedError: `send` is,
 *   as with the official transports.
 * - A server that comes back with another protocol version ends the transport: `onerror` is told, then `onclose`. Whatever
 *   else is lost comes back and is told to nobody; see `supervision`.
 *
 * Throws ConfigError. Nothing is started before `initialize`; `close` ends everything and calls `onclose` once.
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
