/**
 * Answers requests of the protocol without sessions. All requests of one client share a conversation, because a server may keep state
 * from one request to the next. Each request names its client and the client's capabilities; requests with the same ones belong together.
 */
import { type ClientRequest, JsonRpcError } from "@mcp-lifeline/protocol"
import type { Conversation } from "../Conversation.js"
import * as Envelope from "./Envelope.js"
import type { StatelessHandler } from "./StatelessHandler.js"

/** A conversation with requests of one client. */
export interface SharedConversation extends Pick<Conversation, "close" | "request"> {
  /** Whether nothing waits for an answer, or for the client to come back with one. */
  readonly isIdle: () => boolean
  /** Called now and then: ends calls to which the client did not come back. */
  readonly tick: () => void
}

/** One client. */
interface Client {
  readonly conversation: SharedConversation
  /** When a request was over last, or came, by `performance.now`. */
  usedAt: number
}

/** All clients. */
export class ConversationPerClient implements StatelessHandler {
  readonly #begin: () => SharedConversation
  readonly #most: number
  readonly #idle: number
  /** In the order of last use. */
  readonly #all = new Map<string, Client>()

  /** `most`: how many conversations there may be at the same time. `idle`: after so long without use one ends, in milliseconds. */
  constructor(begin: () => SharedConversation, most: number, idle: number) {
    this.#begin = begin
    this.#most = most
    this.#idle = idle
  }

  request(request: ClientRequest): void {
    const envelope = Envelope.read(request.params)
    if ("code" in envelope) return request.answer({ error: { ...envelope } })
    const client = this.#of(JSON.stringify([envelope.clientInfo, envelope.capabilities]))
    if (client === undefined) {
      const message = `${this.#most} clients, the maximum, wait for answers from servers of their own; ` +
        "call again when one of them has its answer"
      return request.refuse(JsonRpcError.ourCode, message)
    }
    client.usedAt = performance.now()
    request.onOver(() => {
      client.usedAt = performance.now()
    })
    client.conversation.request(request)
  }

  /** Ends all. What is not answered yet is answered with `why`. */
  async close(why: string): Promise<void> {
    const all = [...this.#all.values()]
    this.#all.clear()
    await Promise.allSettled(all.map(({ conversation }) => conversation.close(why)))
  }

  /** Ends conversations that nobody uses. Their hosts' next requests begin others. */
  tick(): void {
    const now = performance.now()
    for (const [key, client] of this.#all) {
      client.conversation.tick()
      if (client.conversation.isIdle() && now - client.usedAt >= this.#idle) {
        this.#end(key, client, "the conversation was unused")
      }
    }
  }

  #of(key: string): Client | undefined {
    const known = this.#all.get(key)
    this.#all.delete(key)
    if (known === undefined && !this.#makeRoom()) return undefined
    const client = known ?? { conversation: this.#begin(), usedAt: 0 }
    this.#all.set(key, client)
    return client
  }

  /**
   * Whether there is room for one more client. A client without a session does not say when it leaves. So if there is no room, this closes
   * the conversation of the client that has been idle for the longest time; if no client is idle, there is no room.
   */
  #makeRoom(): boolean {
    if (this.#all.size < this.#most) return true
    const idle = [...this.#all].find(([, { conversation }]) => conversation.isIdle())
    if (idle === undefined) return false
    this.#end(...idle, "the conversation made room for others")
    return true
  }

  #end(key: string, { conversation }: Client, why: string): void {
    this.#all.delete(key)
    void conversation.close(why).catch(() => undefined)
  }
}
