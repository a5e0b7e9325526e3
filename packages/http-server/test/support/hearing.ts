import { type Responder, responseOf } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

/** A client that hears what its requests are answered, and what is said during them, as messages. */
export const hearing = (take: (message: JSONRPCMessage) => void): Responder => ({
  say: (_, message) => take(message),
  answer: ({ id }, answer) => take(responseOf(id, answer))
})
