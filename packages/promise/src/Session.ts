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

/** Given to `onConnected`. Requests are sent once, on this connection. Do not use it afterwards. */
export interface Session {
  /** The server's name. */
  readonly backend: string
  /** The number that this connection will have. */
  readonly generation: number
  /** Aborted when Lifeline gives up the attempt. */
  readonly signal: AbortSignal
  callTool(params: CallToolRequest["params"], options?: SessionCallOptions): Promise<CallToolResult>
  readResource(params: ReadResourceRequest["params"], options?: SessionCallOptions): Promise<ReadResourceResult>
  /** Any request. The schema decodes the result. */
  request<T extends AnySchema>(
    request: ClientRequest | Request,
    resultSchema: T,
    options?: SessionCallOptions
  ): Promise<SchemaOutput<T>>
}

export interface SessionCallOptions {
  /** How long the answer may take. Default `timeouts.request`. */
  readonly timeout?: Duration | undefined
}
