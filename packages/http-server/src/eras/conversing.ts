import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { Begin, Client, Conversation } from "../Conversation.js"
import type { Park } from "./parkedLimits.js"
import { StatelessClient } from "./StatelessClient.js"

export interface Member extends Pick<Client, "caller" | "isLasting" | "startsServers"> {
  /** Who shares limits. Default: the conversation by itself. */
  readonly owner?: string | undefined
  readonly park: Park
}

/** A conversation behind a client without a session. */
export interface Conversing {
  readonly request: (request: ClientRequest) => void
  /** Never fails. */
  readonly close: (why: string) => Promise<void>
  /** Whether nothing waits for an answer or for input. */
  readonly isIdle: () => boolean
  readonly tick: () => void
  /** How many calls wait for input. */
  readonly parked: () => number
}

/** `isLasting`: requests of others who look the same may be among its requests. */
export const begin = (begin: Begin) => ({ owner, park, ...member }: Member): Conversing => {
  const client: StatelessClient = new StatelessClient({
    name: "the gateway",
    isShared: member.isLasting,
    owner,
    park,
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
    parked: () => client.parkedCalls
  }
}
