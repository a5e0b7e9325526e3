import type { Client } from "./Client.js"
import { open } from "./internal/open.js"
import * as Servers from "./internal/Servers.js"
import { SupervisedClient } from "./internal/SupervisedClient.js"
import type { ConnectOptions, Server } from "./Options.js"

/**
 * Starts to supervise one MCP server, and resolves when it is connected.
 *
 * Keeps trying until it rejects with ConnectError:
 * - at once, if the cause is permanent (a command that does not exist, refused credentials);
 * - after 5 s, if nothing listens, nothing is found, or no MCP server answers;
 * - after `timeouts.connect` (30 s), if a server at a URL answers that it is not ready;
 * - after `startLimit`, if the server has not answered: 75 s at a URL, 5 min for a running process. `signal` ends the wait earlier.
 *
 * If you give `timeouts.connect`, it applies to all but the first case. Rejects with UnauthorizedError, at once, if a person has to log in,
 * and with ConfigError if an option is not accepted.
 *
 * A rejected `connect` leaves nothing running. With `lifecycle.lazy` or `disabled` it resolves without connecting.
 *
 * @example
 * ```ts
 * import { connect } from "@mcp-lifeline/client"
 *
 * await using docs = await connect({ url: "http://127.0.0.1:3001/mcp" })
 * const result = await docs.callTool({ name: "echo", arguments: { message: "hi" } })
 * console.log(result.content, docs.status.state)
 * ```
 */
export const connect = async (server: Server, options: ConnectOptions = {}): Promise<Client> => {
  const { name, prepared } = Servers.prepareOne("connect", server, options)
  options.signal?.throwIfAborted()
  const client = await open(
    name,
    prepared,
    options,
    (source) => new SupervisedClient(source, prepared.incoming, prepared.identity)
  )
  return client.asClient
}
