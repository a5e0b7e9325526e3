import type { Begin, Client, Conversation } from "../Conversation.js"
import { StatelessClient } from "./StatelessClient.js"

export interface Conversing {
  readonly client: StatelessClient
  readonly conversation: Conversation
}

/** `isLasting`: requests of others who look the same may be among its requests. */
export const begin = (
  begin: Begin,
  member: Pick<Client, "caller" | "isLasting" | "startsServers">
): Conversing => {
  const client: StatelessClient = new StatelessClient({
    name: "the gateway",
    isShared: member.isLasting,
    session: {
      request: (request) => conversation.request(request),
      receive: (message) => conversation.receive(message),
      introduce: (params) => conversation.introduce(params)
    }
  })
  const conversation = begin({
    ...member,
    isStateless: true,
    requests: client.requests,
    write: (message) => client.deliver(message),
    saveSetting: () => Promise.resolve()
  })
  return { client, conversation }
}

/** Never fails. */
export const end = ({ client, conversation }: Conversing, why: string): Promise<void> => {
  client.end()
  return conversation.close(why).catch(() => undefined)
}
