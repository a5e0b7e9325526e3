/**
 * The headers that repeat what a request of the protocol without sessions says in its body, so that whatever stands before the
 * server can route it. Pure.
 */
import { Era } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"

/** Which parameter names what a request is about. */
const names: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId"
}

const nameOf = (method: string, params: unknown): string | undefined => {
  const value = Object.hasOwn(names, method) && Predicate.isRecord(params) ? params[names[method]!] : undefined
  return typeof value === "string" ? value : undefined
}

const encoded = /^=\?base64\?.*\?=$/s

/** A text as the value of a header: as it is where it fits, otherwise in base64. */
export const value = (text: string): string =>
  /^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !encoded.test(text)
    ? text
    : `=?base64?${Buffer.from(text, "utf8").toString("base64")}?=`

/** The headers of a message. */
export const of = (message: JSONRPCMessage): Record<string, string> => {
  const headers: Record<string, string> = { "mcp-protocol-version": Era.statelessVersion }
  if (!("method" in message)) return headers
  headers["mcp-method"] = message.method
  const name = nameOf(message.method, message.params)
  if (name !== undefined) headers["mcp-name"] = value(name)
  return headers
}
