import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { Begin, Client, Conversation } from "../Conversation.js"
import { StatelessClient } from "./StatelessClient.js"

/** A conversation behind a client without a session. */
export interface Conversing {
  readonly request: (request: ClientRequest) => void
  /** Never fails. */
  readonly close: (why: string) => Promise<void>
  /** Whether nothing waits for an answer or for input. */
  readonly isIdle: () => boolean
  readonly tick: () => void
  /** Whether a request brings what a call waits for. */
  readonly hasParked: (request: ClientRequest) => boolean
  /** Calls that wait for input, and the bytes of their bodies. */
  readonly parked: () => { readonly count: number; readonly bytes: number }
  readonly abandonOldest: () => void
}

/** `isLasting`: requests of others who look the same may be among its requests. */
export const begin = (begin: Begin) => (member: Pick<Client, "caller" | "isLasting" | "startsServers">): Conversing => {
  const client: StatelessClient = new StatelessClient({
    name: "the gateway",
    isShared: member.isLasting,
    session: {
      request: (request) => conversation.request(request),
      receive: (message) => conversation.receive(message),
      introduce: (params) => conversation.introduce(params)
    }
  })
  const conversation: Conversation = begin({
    ...member,
    isStateless: true,
    requests: client.requests,
    write: (message) => client.deliver(message),
    saveSetting: () => Promise.resolve()
  })
  return {
    request: (request) => client.request(request),
    close: (why) => {
      client.end()
      return conversation.close(why).catch(() => undefined)
    },
    isIdle: () => client.isIdle,
    tick: () => client.tick(),
    hasParked: (request) => client.hasParked(request),
    parked: () => ({ count: client.parkedCalls, bytes: client.parkedBytes }),
    abandonOldest: () => client.abandonOldest()
  }
}
