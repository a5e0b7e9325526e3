/**
 * The official SDK's Client as a core Connection.
 */
import type { Connection, ConnectOptions } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"

/** Initialises an MCP session over a transport. */
export const connect = (
  transport: AdapterTransport,
  options: ConnectOptions
): Effect.Effect<Connection, ConnectError, Scope.Scope> => {
  void transport
  void options
  return Effect.fail(
    new ConnectError({ backend: "", reason: "protocol", incurable: false, message: "not written yet" })
  )
}
