/** The server of `serve -- COMMAND`. */
import * as ServerName from "@mcp-lifeline/config/ServerName"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import type { Server } from "../config/Backends.js"
import { digest } from "../files/digest.js"
import { processRecords } from "../process/processRecords.js"
import { UsageError } from "../text/Errors.js"
import { version } from "../text/Version.js"

/** Secrets of the gateway, which it has read. */
const ofGateway = ["MCP_LIFELINE_TOKEN", "MCP_LIFELINE_SESSION_KEY", "MCP_LIFELINE_CLUSTER"]

/** Inherits the environment without the gateway's secrets. `env`: what it gets besides. */
export const make = (
  [command = "", ...args]: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Server, UsageError> =>
  Effect.try({
    try: () => {
      for (const name of ofGateway) delete process.env[name]
      return {
        id: ServerName.ofCommand(command, args),
        prefix: "",
        sessions: "per-client",
        connector: StdioConnector.make({ command, args, env, inheritEnv: true }, processRecords()),
        identity: digest([command, args, process.cwd()]),
        clientInfo: { name: "mcp-lifeline", version }
      }
    },
    catch: (cause) => new UsageError({ message: (cause as Error).message })
  })
