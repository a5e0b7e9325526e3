/**
 * Which of the official SDK's schemas decodes the result of which request.
 */
import type { Method } from "@mcp-lifeline/core"
import type { AnySchema } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import * as Mcp from "@modelcontextprotocol/sdk/types.js"

/** Result schemas by method. */
export const byMethod: { readonly [M in Method]: AnySchema } = {
  "ping": Mcp.EmptyResultSchema,
  "tools/list": Mcp.ListToolsResultSchema,
  "tools/call": Mcp.CallToolResultSchema,
  "prompts/list": Mcp.ListPromptsResultSchema,
  "prompts/get": Mcp.GetPromptResultSchema,
  "resources/list": Mcp.ListResourcesResultSchema,
  "resources/templates/list": Mcp.ListResourceTemplatesResultSchema,
  "resources/read": Mcp.ReadResourceResultSchema,
  "resources/subscribe": Mcp.EmptyResultSchema,
  "resources/unsubscribe": Mcp.EmptyResultSchema,
  "completion/complete": Mcp.CompleteResultSchema,
  "logging/setLevel": Mcp.EmptyResultSchema,
  "tasks/get": Mcp.GetTaskResultSchema,
  "tasks/result": Mcp.ResultSchema,
  "tasks/list": Mcp.ListTasksResultSchema,
  "tasks/cancel": Mcp.CancelTaskResultSchema
}
