import type { Conversation } from "@mcp-lifeline/http-server/Conversation"
import { ClientRequests, responseOf } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import type { Recorder } from "./Recorder.js"

/** Also writes the messages to a file, except those that belong to none of its requests. */
export const recorded = <C extends Pick<Conversation, "receive" | "request">>(record: Recorder, conversation: C): C => {
  const requests = new ClientRequests()
  const recordSent = (message: JSONRPCMessage): void => record.write("to the host", { message })
  return {
    ...conversation,
    request: (request) => {
      const { id, method, params } = request
      const message: JSONRPCRequest = { jsonrpc: "2.0", id, method, params }
      record.write("from the host", { message })
      conversation.request(requests.openFor(request, message, {
        say: (_, message) => {
          recordSent(message)
          request.say(message)
        },
        answer: (_, answer) => {
          recordSent(responseOf(id, answer))
          request.answer(answer)
        },
        cancelled: (_, reason) => {
          const params = { requestId: id, ...(reason === undefined ? {} : { reason }) }
          record.write("from the host", { message: { jsonrpc: "2.0", method: "notifications/cancelled", params } })
        }
      }))
    },
    receive: (message) => {
      record.write("from the host", { message })
      conversation.receive(message)
    }
  }
}
