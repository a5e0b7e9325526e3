/**
 * What is wrong with the params of a request, in one line. The official SDK's schemas say it; they are loaded when they are needed.
 */
import * as JsonRpcError from "../JsonRpcError.js"
import type { Method } from "./Destination.js"

const schemaOf = {
  "tools/call": "CallToolRequestSchema",
  "prompts/get": "GetPromptRequestSchema",
  "resources/read": "ReadResourceRequestSchema",
  "completion/complete": "CompleteRequestSchema",
  "logging/setLevel": "SetLevelRequestSchema",
  "resources/subscribe": "SubscribeRequestSchema",
  "resources/unsubscribe": "UnsubscribeRequestSchema"
} as const satisfies Record<Method | string, string>

/** The error for params that do not fit a method. */
export const explain = async (method: keyof typeof schemaOf, params: unknown): Promise<JsonRpcError.JsonRpcError> => {
  const types = await import("@modelcontextprotocol/sdk/types.js")
  const parsed = types[schemaOf[method]].safeParse({ method, params })
  return JsonRpcError.invalidParams(method, parsed.success ? [] : parsed.error.issues)
}
