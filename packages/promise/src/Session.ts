/**
 * A new connection that no call uses yet.
 */
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type {
  CallToolRequest,
  CallToolResult,
  ClientRequest,
  ReadResourceRequest,
  ReadResourceResult,
  Request
} from "@modelcontextprotocol/sdk/types.js"
import type { Duration } from "./Duration.js"

/** What `onConnected` gets. Its requests are sent once, on this connection. Do not use it afterwards. */
export interface Session {
  /** The name of the server. */
  readonly backend: string
  /** The number that this connection will have. */
  readonly generation: number
  /** Aborted when Lifeline gives up the attempt. */
  readonly signal: AbortSignal
  /** Calls a tool, once, on this connection. */
  callTool(params: CallToolRequest["params"], options?: SessionCallOptions): Promise<CallToolResult>
  /** Reads a resource, once, on this connection. */
  readResource(params: ReadResourceRequest["params"], options?: SessionCallOptions): Promise<ReadResourceResult>
  /** Sends any request. The schema decodes the result. */
  request<T extends AnySchema>(
    request: ClientRequest | Request,
    resultSchema: T,
    options?: SessionCallOptions
  ): Promise<SchemaOutput<T>>
}

/** Options of a request of a session. */
export interface SessionCallOptions {
  /** How long the server may take to answer. Default `timeouts.request`. */
  readonly timeout?: Duration | undefined
}
