/** Types only: this loads nothing of the official SDK at run time. */
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"

/** Of the MCP client side (revision 2025-11-25 and before). */
export interface Methods {
  readonly "ping": { readonly params: Mcp.PingRequest["params"]; readonly result: Mcp.EmptyResult }
  readonly "tools/list": { readonly params: Mcp.ListToolsRequest["params"]; readonly result: Mcp.ListToolsResult }
  readonly "tools/call": { readonly params: Mcp.CallToolRequest["params"]; readonly result: Mcp.CallToolResult }
  readonly "prompts/list": { readonly params: Mcp.ListPromptsRequest["params"]; readonly result: Mcp.ListPromptsResult }
  readonly "prompts/get": { readonly params: Mcp.GetPromptRequest["params"]; readonly result: Mcp.GetPromptResult }
  readonly "resources/list": {
    readonly params: Mcp.ListResourcesRequest["params"]
    readonly result: Mcp.ListResourcesResult
  }
  readonly "resources/templates/list": {
    readonly params: Mcp.ListResourceTemplatesRequest["params"]
    readonly result: Mcp.ListResourceTemplatesResult
  }
  readonly "resources/read": {
    readonly params: Mcp.ReadResourceRequest["params"]
    readonly result: Mcp.ReadResourceResult
  }
  readonly "resources/subscribe": { readonly params: Mcp.SubscribeRequest["params"]; readonly result: Mcp.EmptyResult }
  readonly "resources/unsubscribe": {
    readonly params: Mcp.UnsubscribeRequest["params"]
    readonly result: Mcp.EmptyResult
  }
  readonly "completion/complete": {
    readonly params: Mcp.CompleteRequest["params"]
    readonly result: Mcp.CompleteResult
  }
  readonly "logging/setLevel": { readonly params: Mcp.SetLevelRequest["params"]; readonly result: Mcp.EmptyResult }
  readonly "tasks/get": { readonly params: Mcp.GetTaskRequest["params"]; readonly result: Mcp.GetTaskResult }
  readonly "tasks/result": { readonly params: Mcp.GetTaskPayloadRequest["params"]; readonly result: Mcp.Result }
  readonly "tasks/list": { readonly params: Mcp.ListTasksRequest["params"]; readonly result: Mcp.ListTasksResult }
  readonly "tasks/cancel": { readonly params: Mcp.CancelTaskRequest["params"]; readonly result: Mcp.CancelTaskResult }
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
