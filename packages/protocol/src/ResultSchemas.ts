import type { Method } from "@mcp-lifeline/core"
import type { RequestError } from "@mcp-lifeline/core"
import { type AnySchema, safeParse } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type { SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Exit } from "effect"
import * as Failures from "./Failures.js"

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

/** Why something is no schema for the SDK (zod 3 or 4); undefined if it is one. */
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

export const check = <S extends AnySchema>(
  method: string,
  schema: S,
  result: unknown
): Exit.Exit<SchemaOutput<S>, RequestError> => {
  try {
    const parsed = safeParse(schema, result)
    return parsed.success ? Exit.succeed(parsed.data) : Exit.fail(Failures.misfit(method, parsed.error))
  } catch (error) {
    return Exit.fail(Failures.toRequestError(error, "answered"))
  }
}

/**
 * What a caller's schema makes of the result; without one, the result as it came, if it fits the protocol. What no schema knows stays
 * there, and what it lacks and has a default is added.
 */
export const decode = (
  method: Method,
  result: Record<string, unknown>,
  schema: unknown
): Exit.Exit<unknown, RequestError> => decodeBy(byMethod[method], method, result, schema)

const decodeBy = (
  own: AnySchema,
  method: Method,
  result: Record<string, unknown>,
  schema: unknown
): Exit.Exit<unknown, RequestError> =>
  schema === undefined
    ? Exit.map(check(method, own, result), (checked) => ({ ...checked as object, ...result }))
    : check(method, schema as AnySchema, result)

/** Without sessions, structured results and their schemas are any JSON. */
const statelessByMethod: Partial<typeof byMethod> = {
  "tools/list": Mcp.ListToolsResultSchema.extend({ tools: Mcp.ToolSchema.omit({ outputSchema: true }).array() }),
  "tools/call": Mcp.CallToolResultSchema.omit({ structuredContent: true })
}

/** For a server without sessions. */
export const decodeStateless: typeof decode = (method, result, schema) =>
  decodeBy(statelessByMethod[method] ?? byMethod[method], method, result, schema)
