/**
 * If a caller may use servers that each client has for itself, its conversation goes on between requests: these stay alive, and are never another caller's.
 * Every other request is a conversation of its own.
 */
import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { Caller } from "../Caller.js"
import type { Begin } from "../Conversation.js"
import { ConversationPerClient, type SharedOptions } from "./ConversationPerClient.js"
import { ConversationPerRequest } from "./ConversationPerRequest.js"
import * as Conversing from "./conversing.js"
import * as Envelope from "./Envelope.js"
import type { StatelessHandler } from "./StatelessHandler.js"

export class ConversationPerCaller implements StatelessHandler {
  readonly #hasOwnServers: (caller: Caller) => boolean
  readonly #lasting: ConversationPerClient
  readonly #single: ConversationPerRequest

  constructor(begin: Begin, hasOwnServers: (caller: Caller) => boolean, options: SharedOptions) {
    this.#hasOwnServers = hasOwnServers
    this.#single = new ConversationPerRequest(begin)
    this.#lasting = new ConversationPerClient((member) => {
      const conversing = Conversing.begin(begin, { ...member, isLasting: true })
      const { client } = conversing
      return {
        request: (request) => client.request(request),
        close: (why) => Conversing.end(conversing, why),
        isIdle: () => client.isIdle,
        tick: () => client.tick(),
        hasParked: (request) => client.hasParked(request),
        parkedCalls: () => client.parkedCalls,
        parkedBytes: () => client.parkedBytes,
        abandonOldest: () => client.abandonOldest()
      }
    }, options)
  }

  request(request: ClientRequest, caller: Caller): void {
    this.#handlerFor(request, caller).request(request, caller)
  }

  #handlerFor(request: ClientRequest, caller: Caller): ConversationPerClient | ConversationPerRequest {
    // The configuration may have changed since the call was made.
    const asked = Envelope.stateOf(request.params) === undefined
      ? undefined
      : [this.#single, this.#lasting].find((one) => one.hasParked(request, caller))
    if (asked !== undefined) return asked
    return this.#hasOwnServers(caller) ? this.#lasting : this.#single
  }

  tick(): void {
    this.#lasting.tick()
    this.#single.tick()
  }

  endOf(caller: Pick<Caller, "subject">, why: string): void {
    this.#lasting.endOf(caller, why)
    this.#single.endOf(caller, why)
  }

  forget(why: string): Promise<void> {
    return this.#lasting.forget(why)
  }

  async close(why: string): Promise<void> {
    await Promise.all([this.#lasting.close(why), this.#single.close(why)])
  }
}
