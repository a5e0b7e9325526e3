/**
 * Gives each client without a session one conversation for all its requests, because a server may keep state from one request to the next.
 * Requests that name the same client and capabilities are those of one client.
 */
import { type ClientRequest, JsonRpcError } from "@mcp-lifeline/protocol"
import type { Conversation } from "../Conversation.js"
import * as Envelope from "./Envelope.js"
import type { StatelessHandler } from "./StatelessHandler.js"

/** The conversation of one client. */
export interface SharedConversation extends Pick<Conversation, "close" | "request"> {
  /** Whether nothing waits for an answer or for input of the client. */
  readonly isIdle: () => boolean
  /** Called at intervals: ends calls whose client was asked for input and did not come back. */
  readonly tick: () => void
}

/** One client. */
interface Client {
  readonly conversation: SharedConversation
  /** When a request last came or was over, by `performance.now`. */
  usedAt: number
}

export class ConversationPerClient implements StatelessHandler {
  readonly #begin: () => SharedConversation
  readonly #maxClients: number
  readonly #idleTime: number
  /** Least recently used first. */
  readonly #clients = new Map<string, Client>()

  /** `maxClients`: how many conversations there may be at once. `idleTime`: how long an unused one is kept, in milliseconds. */
  constructor(begin: () => SharedConversation, maxClients: number, idleTime: number) {
    this.#begin = begin
    this.#maxClients = maxClients
    this.#idleTime = idleTime
  }

  request(request: ClientRequest): void {
    const envelope = Envelope.read(request.params)
    if ("code" in envelope) return request.answer({ error: { ...envelope } })
    const client = this.#find(JSON.stringify([envelope.clientInfo, envelope.capabilities]))
    if (client === undefined) {
      const message = `${this.#maxClients} clients, the maximum, wait for answers from servers of their own; ` +
        "call again when one of them has its answer"
      return request.refuse(JsonRpcError.ourCode, message)
    }
    client.usedAt = performance.now()
    request.onOver(() => {
      client.usedAt = performance.now()
    })
    client.conversation.request(request)
  }

  /** Ends all conversations. Answers open requests with `why`. */
  async close(why: string): Promise<void> {
    const all = [...this.#clients.values()]
    this.#clients.clear()
    await Promise.allSettled(all.map(({ conversation }) => conversation.close(why)))
  }

  /** Ends unused conversations. The next request of such a client begins another one. */
  tick(): void {
    const now = performance.now()
    for (const [key, client] of this.#clients) {
      client.conversation.tick()
      if (client.conversation.isIdle() && now - client.usedAt >= this.#idleTime) {
        this.#end(key, client, "the conversation was unused")
      }
    }
  }

  #find(key: string): Client | undefined {
    const known = this.#clients.get(key)
    this.#clients.delete(key)
    if (known === undefined && !this.#makeRoom()) return undefined
    const client = known ?? { conversation: this.#begin(), usedAt: 0 }
    this.#clients.set(key, client)
    return client
  }

  /**
   * Whether there is room for one more client. A client without a session does not say when it leaves. So if there is no room, this closes
   * the conversation of the client that has been idle for the longest time; if no client is idle, there is no room.
   */
  #makeRoom(): boolean {
    if (this.#clients.size < this.#maxClients) return true
    const idle = [...this.#clients].find(([, { conversation }]) => conversation.isIdle())
    if (idle === undefined) return false
    this.#end(...idle, "the conversation made room for others")
    return true
  }

  #end(key: string, { conversation }: Client, why: string): void {
    this.#clients.delete(key)
    void conversation.close(why).catch(() => undefined)
  }
}
