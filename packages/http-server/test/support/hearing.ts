import { type ClientRequest, ClientRequests, type Responder, responseOf } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"

export const hearing = (take: (message: JSONRPCMessage) => void): Responder => ({
  say: (_, message) => take(message),
  answer: ({ id }, answer) => take(responseOf(id, answer))
})

export interface Asked {
  readonly answers: Array<any>
  readonly request: ClientRequest
}

export const asked = (id: RequestId, params: Record<string, unknown>, method = "tools/call"): Asked => {
  const answers: Array<any> = []
  const message = { jsonrpc: "2.0" as const, id, method, params }
  return { answers, request: new ClientRequests().open(message, hearing((message) => answers.push(message))) }
}
