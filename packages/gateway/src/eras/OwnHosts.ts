/**
 * Requests of the protocol without sessions, each of which is a conversation of its own: nothing crosses from one client to another.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import type { Begin } from "../http/Conversation.js"
import type { Answer } from "./Answering.js"
import { StatelessHost } from "./StatelessHost.js"

/** Begins a conversation for each request; it is over when that is answered. */
export const make = (begin: Begin): Answer => (write) => {
  const deliver = (message: JSONRPCMessage): void => host.deliver(message)
  const conversation = begin({
    isStateless: true,
    write: deliver,
    writeResult: (id, text) => deliver({ jsonrpc: "2.0", id, result: JSON.parse(text) }),
    remember: () => Promise.resolve()
  })
  const host: StatelessHost = new StatelessHost({
    name: "the gateway",
    session: {
      receive: (message) => conversation.receive(message),
      introduce: () => conversation.introduce()
    },
    write
  })
  return {
    receive: (request) => void host.receive(request),
    close: (why) => {
      host.end()
      void conversation.close(why).catch(() => undefined)
    }
  }
}
