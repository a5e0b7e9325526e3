import { Era, Named } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

/** Of a POST whose answer may be a stream. */
export const json = { "content-type": "application/json", accept: "application/json, text/event-stream" }

const encoded = /^=\?base64\?.*\?=$/s

/** Base64 if the text is no header value. */
export const value = (text: string): string =>
  /^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !encoded.test(text)
    ? text
    : `=?base64?${Buffer.from(text, "utf8").toString("base64")}?=`

/** Repeat the body of a request without a session, so that intermediaries can route it. */
export const of = (message: JSONRPCMessage): Record<string, string> => {
  const headers: Record<string, string> = { "mcp-protocol-version": Era.statelessVersion }
  if (!("method" in message)) return headers
  headers["mcp-method"] = message.method
  const name = Named.valueOf(message.method, message.params)
  if (typeof name === "string") headers["mcp-name"] = value(name)
  return headers
}
