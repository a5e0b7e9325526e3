import { ClientRequests, MemoryConnector, responseOf } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import * as Conversations from "../hop/Conversations.js"
import type { Hop } from "../hop/Hop.js"
import * as OwnerConnection from "../hop/OwnerConnection.js"

export interface Network {
  readonly served: Map<string, (server: string) => Conversations.Conversations | undefined>
  readonly isOpen: (from: string, to: string) => boolean
}

const conversing = (
  { begin }: Conversations.Conversations,
  isOpen: () => boolean
): MemoryConnector.MemoryServer => {
  const requests = new ClientRequests()
  let close = () => Promise.resolve()
  return {
    connect: (transport) => {
      const write = (message: JSONRPCMessage) => isOpen() ? void transport.send(message) : undefined
      const conversation = begin({ requests, write, saveSetting: () => Promise.resolve() })
      close = () => conversation.close("the replica has closed the connection")
      transport.onmessage = (message) => {
        if (
          !isOpen() ||
          ("method" in message && !("id" in message) && message.method === "notifications/cancelled" &&
            requests.cancel(message))
        ) return
        if (!("method" in message) || !("id" in message)) return conversation.receive(message)
        conversation.request(requests.open(message, {
          say: (_, said) => write(said),
          answer: ({ id }, answer) => write(responseOf(id, answer))
        }))
      }
      return transport.start()
    },
    close: () => isOpen() ? close() : Promise.resolve()
  }
}

/** `missed`: see `Hop.make`. */
export const make = (network: Network, address: string, missed: (server: string) => void): Hop => {
  const own = new Map<string, Conversations.Conversations>()
  network.served.set(address, (server) => {
    const found = own.get(server)
    if (found === undefined) missed(server)
    return found
  })
  return {
    serve: (server, served) =>
      Effect.tap(Conversations.make(served), (conversations) =>
        Effect.acquireRelease(
          Effect.sync(() => own.set(server, conversations)),
          () =>
            Effect.sync(() => {
              if (own.get(server) === conversations) own.delete(server)
              conversations.goes()
              conversations.close()
            })
        )),
    handle: () => false,
    left: Effect.void,
    connector: (server, { address: owner = "" }) => {
      const isOpen = () => network.isOpen(address, owner)
      const inner = MemoryConnector.make({
        target: `${server} at ${owner}`,
        server: () => {
          const conversations = network.served.get(owner)?.(server)
          if (conversations === undefined) throw new Error("the replica does not run the server")
          return conversing(conversations, isOpen)
        }
      })
      return {
        ...inner,
        connect: (options) => Effect.suspend(() => isOpen() ? OwnerConnection.connect(inner, options) : Effect.never)
      }
    }
  }
}
