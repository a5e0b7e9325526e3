/**
 * The headers that repeat what a request of the protocol without sessions says in its body, so that whatever stands before the
 * server can route it. Pure.
 */
import { Era, Named } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

const encoded = /^=\?base64\?.*\?=$/s

/** A text as the value of a header: as it is where it fits, otherwise in base64. */
export const value = (text: string): string =>
  /^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !encoded.test(text)
    ? text
    : `=?base64?${Buffer.from(text, "utf8").toString("base64")}?=`

export const of = (message: JSONRPCMessage): Record<string, string> => {
  const headers: Record<string, string> = { "mcp-protocol-version": Era.statelessVersion }
  if (!("method" in message)) return headers
  headers["mcp-method"] = message.method
  const name = Named.valueOf(message.method, message.params)
  if (typeof name === "string") headers["mcp-name"] = value(name)
  return headers
}
