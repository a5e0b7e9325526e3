/**
 * One server, supervised.
 */
import type { Client } from "./Client.js"
import { open } from "./internal/open.js"
import * as Servers from "./internal/Servers.js"
import { SupervisedClient } from "./internal/SupervisedClient.js"
import type { ConnectOptions, Server } from "./Options.js"

/**
 * Starts to supervise one MCP server, and resolves when it is connected.
 *
 * Rejects with ConnectError:
 * - at once, if the cause is permanent (a command that does not exist, credentials that the server refuses);
 * - after 5 s, if nothing listens, nothing is found, or what answers is not an MCP server;
 * - after `timeouts.connect` (30 s), if a server at a URL answers that it is not ready;
 * - after `startLimit`, if the server has not answered: 75 s at a URL, 5 min for a process that runs. `signal` ends the wait before that.
 *
 * Until then it keeps trying. If you give `timeouts.connect`, this time applies to all but the first case. Rejects with UnauthorizedError, at
 * once, if a person has to log in.
 *
 * A rejected `connect` leaves nothing running. With `lifecycle.lazy` or `disabled` it resolves without connecting. An option that is not
 * accepted is a ConfigError.
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
