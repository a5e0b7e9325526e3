/** Types only: this loads nothing of the official SDK at run time. */
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"

interface Exchange<Request extends { readonly params?: unknown }, Result> {
  readonly params: Request["params"]
  readonly result: Result
}

/** Of the MCP client side (revision 2025-11-25 and before). */
export interface Methods {
  readonly "ping": Exchange<Mcp.PingRequest, Mcp.EmptyResult>
  readonly "tools/list": Exchange<Mcp.ListToolsRequest, Mcp.ListToolsResult>
  readonly "tools/call": Exchange<Mcp.CallToolRequest, Mcp.CallToolResult>
  readonly "prompts/list": Exchange<Mcp.ListPromptsRequest, Mcp.ListPromptsResult>
  readonly "prompts/get": Exchange<Mcp.GetPromptRequest, Mcp.GetPromptResult>
  readonly "resources/list": Exchange<Mcp.ListResourcesRequest, Mcp.ListResourcesResult>
  readonly "resources/templates/list": Exchange<Mcp.ListResourceTemplatesRequest, Mcp.ListResourceTemplatesResult>
  readonly "resources/read": Exchange<Mcp.ReadResourceRequest, Mcp.ReadResourceResult>
  readonly "resources/subscribe": Exchange<Mcp.SubscribeRequest, Mcp.EmptyResult>
  readonly "resources/unsubscribe": Exchange<Mcp.UnsubscribeRequest, Mcp.EmptyResult>
  readonly "completion/complete": Exchange<Mcp.CompleteRequest, Mcp.CompleteResult>
  readonly "logging/setLevel": Exchange<Mcp.SetLevelRequest, Mcp.EmptyResult>
  readonly "tasks/get": Exchange<Mcp.GetTaskRequest, Mcp.GetTaskResult>
  readonly "tasks/result": Exchange<Mcp.GetTaskPayloadRequest, Mcp.Result>
  readonly "tasks/list": Exchange<Mcp.ListTasksRequest, Mcp.ListTasksResult>
  readonly "tasks/cancel": Exchange<Mcp.CancelTaskRequest, Mcp.CancelTaskResult>
}

export type Method = keyof Methods

export type Params<M extends Method> = Methods[M]["params"]

export type Result<M extends Method> = Methods[M]["result"]

/** Most only read. Subscribing, setting the log level and cancelling a task set a value: twice changes nothing. */
const reads: ReadonlySet<string> = new Set<Method>([
  "ping",
  "tools/list",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "logging/setLevel",
  "tasks/get",
  "tasks/result",
  "tasks/list",
  "tasks/cancel"
])

/** Lifeline may send it again although the server may have carried it out: all requests of the protocol except `tools/call`. */
export const isRead = (method: string): boolean => reads.has(method)
