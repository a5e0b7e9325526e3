import type * as Facade from "@mcp-lifeline/client"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import type { Effect } from "effect"
import { ask, type CallError } from "./Errors.js"

/** Given to `onConnected`. Requests are sent once, on this connection. Do not use it afterwards. */
export interface Session {
  /** The server's name. */
  readonly backend: string
  /** The number that this connection will have. */
  readonly generation: number
  readonly callTool: (
    params: Mcp.CallToolRequest["params"],
    options?: Facade.SessionCallOptions
  ) => Effect.Effect<Mcp.CallToolResult, CallError>
  readonly readResource: (
    params: Mcp.ReadResourceRequest["params"],
    options?: Facade.SessionCallOptions
  ) => Effect.Effect<Mcp.ReadResourceResult, CallError>
  /** Any request. The schema decodes the result. */
  readonly request: <T extends AnySchema>(
    request: Mcp.ClientRequest | Mcp.Request,
    resultSchema: T,
    options?: Facade.SessionCallOptions
  ) => Effect.Effect<SchemaOutput<T>, CallError>
}

/** @internal */
export const fromFacade = (session: Facade.Session): Session => ({
  backend: session.backend,
  generation: session.generation,
  callTool: (params, options) => ask(() => session.callTool(params, options)),
  readResource: (params, options) => ask(() => session.readResource(params, options)),
  request: (request, schema, options) => ask(() => session.request(request, schema, options))
})
