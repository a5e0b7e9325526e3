/**
 * A supervised server under any client that takes a transport.
 */
import { RelayTransport } from "./internal/RelayTransport.js"
import type { Server, TransportOptions } from "./Options.js"
import type { SupervisedTransport } from "./Transport.js"

/**
 * A transport for one client: the official one, or any other that takes the SDK's transports. The client says who it is, what it can do, and
 * which protocol version it speaks. Lifeline connects the server with that, and does so again on every later connection, so the client
 * notices no restart.
 *
 * - A request made while the server is down waits for it, up to `timeouts.wait`. A request that is cut off is sent again if that can do no
 *   harm. Otherwise the client gets a JSON-RPC error with code -32000; `data.fate` says whether the request was `notSent` or its result is
 *   `unknown`. The client bounds how long an answer may take: Lifeline does not bound `tools/call`, unless you give `timeouts.request`.
 * - Requests and notifications pass in both directions, with their progress and cancellation.
 * - `listChanged` is declared to the client for every list that the server has. A list that differs after a restart is announced.
 * - `initialize` connects. It is answered with an error at once if the cause is permanent, otherwise when `connect` would reject. If a person
 *   has to log in, `send` rejects at once with UnauthorizedError, as in the official transports.
 * - If the server comes back with another protocol version, the transport ends: `onerror` is called, then `onclose`. Any other loss is
 *   repaired without a word to the client; `supervision` shows it.
 *
 * Throws ConfigError. Nothing is started before `initialize`. `close` ends everything and calls `onclose` once.
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
