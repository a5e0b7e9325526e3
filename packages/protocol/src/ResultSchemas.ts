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

/** Why something cannot be the schema of a result, as the SDK reads schemas (zod 3 or 4), or nothing where it can. */
export const wrong = (schema: unknown): TypeError | undefined => {
  const given = Object(schema) as { readonly _zod?: unknown; readonly safeParse?: unknown }
  if (Boolean(given._zod) || typeof given.safeParse === "function") return undefined
  // Without the values, which may be secrets.
  const what = schema === given ? `{ ${Object.keys(given).join(", ")} }` : String(schema)
  return new TypeError(
    `the result schema must be a zod schema, and it is ${what}; ` +
      "options come after it: callTool(params, undefined, options), request(request, resultSchema, options)"
  )
}
