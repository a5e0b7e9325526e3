import { type Responder, responseOf } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

export const hearing = (take: (message: JSONRPCMessage) => void): Responder => ({
  say: (_, message) => take(message),
  answer: ({ id }, answer) => take(responseOf(id, answer))
})
