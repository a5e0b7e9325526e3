/**
 * Many servers, supervised, with one catalogue.
 */
import type { Fleet } from "./Fleet.js"
import * as ConnectAll from "./internal/ConnectAll.js"
import type { FleetConfig, FleetOptions, VsCodeConfig } from "./Options.js"

/**
 * Starts to supervise the servers of a configuration and resolves when each is connected or has had its first try, at most
 * after `waitTimeout` (10 s). A server that is down fails nothing: it is tried on, and its tools come when it does.
 *
 * With `require: "all"` it rejects with ConnectError (UnauthorizedError where a person has to log in), and tears everything down, when one that is neither lazy nor disabled
 * is not connected by then. An option or a server that is not acceptable is a ConfigError.
 *
 * The configuration is read as the gateway reads an mcp.json. In its texts `${NAME}` is replaced from `process.env`, or from
 * `variables`; with a configuration that is not yours give `variables: false`.
 *
 * @example
 * ```ts
 * import { connectAll } from "@mcp-lifeline/client"
 *
 * await using fleet = await connectAll({
 *   mcpServers: {
 *     docs: { url: "http://127.0.0.1:3001/mcp" },
 *     files: { command: "npx", args: ["-y", "@modelcontextprotocol/server-filesystem", "."] }
 *   }
 * })
 * const { tools } = await fleet.listTools()
 * console.log(tools.map((tool) => tool.name), fleet.status["docs"]?.state)
 * await fleet.callTool({ name: "docs__echo", arguments: { message: "hi" } })
 * ```
 */
export const connectAll = (config: FleetConfig | VsCodeConfig, options: FleetOptions = {}): Promise<Fleet> =>
  ConnectAll.connectAll(config, options)
