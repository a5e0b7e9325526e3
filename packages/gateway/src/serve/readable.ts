/**
 * What a client can be given whole. Pure.
 */
import { Nesting } from "@mcp-lifeline/core/internal"
import { JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"

/** Whether something is not nested too deeply to be written and read. */
export const isReadable = (value: unknown): boolean => !Nesting.isDeeper(value, Nesting.defaultDepth)

/** The error for a request whose result is not readable. */
export const unreadableResult = (method: string): JsonRpcError.JsonRpcError => ({
  code: JsonRpcError.ourCode,
  message:
    `${method} was carried out, and its result is nested more than ${Nesting.defaultDepth} levels deep, which is not passed on: have the server give it in another form`,
  data: { fate: "answered" }
})

/** The error for a request whose params are not readable. */
export const unreadableParams = (method: string): JsonRpcError.JsonRpcError => ({
  code: JsonRpc.invalidParams,
  message: `the params of ${method} are nested more than ${Nesting.defaultDepth} levels deep, which is not passed on`
})
