/**
 * Answers requests of the protocol without sessions. All requests of one client share a conversation, because a server may keep state
 * from one request to the next. Each request names its client and the client's capabilities; requests with the same ones belong together.
 */
import { JsonRpcError, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Conversation } from "../http/Conversation.js"
import type { Answer } from "./Answering.js"
import * as Envelope from "./Envelope.js"
import { parkedUnder } from "./StatelessHost.js"
import { closing, stamped } from "./Subscriptions.js"

type Write = (message: JSONRPCMessage, about?: RequestId) => void

/** Begins a conversation. It gives `write` each message, with the id of the request to which the message belongs. */
export type Begin = (write: Write) => Conversation

/** A request of a client. Its id is the client's own; other clients may use the same one. */
interface Asked {
  readonly id: RequestId
  readonly isListening: boolean
  readonly write: (message: JSONRPCMessage) => void
}

/** A message of the conversation, with the id that the client has given its request. */
const renumbered = (message: JSONRPCMessage, id: RequestId): JSONRPCMessage => {
  if ("method" in message) {
    const isOfStream = Meta.of(message.params)[Meta.keys.subscriptionId] !== undefined
    return isOfStream ? { ...message, params: stamped(id, message.params) } : message
  }
  return "result" in message && Meta.of(message.result)[Meta.keys.subscriptionId] !== undefined
    ? { ...message, id, result: stamped(id, message.result) }
    : { ...message, id }
}

/** One client. */
class Shared {
  readonly #conversation: Conversation
  /** The unanswered requests, by their number in the conversation. */
  readonly #asked = new Map<RequestId, Asked>()
  #last = 0
  /** When a request was answered last, or came, by `performance.now`. */
  #usedAt = performance.now()

  constructor(begin: Begin) {
    this.#conversation = begin((message, about) => this.#deliver(message, about))
  }

  /** Whether nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#asked.size === 0
  }

  /** Whether nothing has waited for an answer for so long, in milliseconds. */
  isUnused(now: number, millis: number): boolean {
    return this.isIdle && now - this.#usedAt >= millis
  }

  /** Takes a request, and returns its number. `before`: the number of the request that it continues. */
  take(request: JSONRPCRequest, write: Asked["write"], before: RequestId | undefined): RequestId {
    if (before !== undefined) this.#asked.delete(before)
    this.#usedAt = performance.now()
    const id = ++this.#last
    this.#asked.set(id, { id: request.id, isListening: request.method === "subscriptions/listen", write })
    this.#conversation.receive({ ...request, id })
    return id
  }

  /** The client no longer waits for the answer: cancels the request. */
  leave(number: RequestId): void {
    const asked = this.#asked.get(number)
    if (asked === undefined) return
    this.#asked.delete(number)
    this.#usedAt = performance.now()
    this.#conversation.receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: number } })
    if (asked.isListening) asked.write(closing(asked.id))
  }

  close(why: string): Promise<void> {
    return this.#conversation.close(why)
  }

  #deliver(message: JSONRPCMessage, about: RequestId | undefined): void {
    const asked = about === undefined ? undefined : this.#asked.get(about)
    if (asked === undefined) return
    if (!("method" in message) && parkedUnder(message) === undefined) this.#asked.delete(about as RequestId)
    this.#usedAt = performance.now()
    asked.write(renumbered(message, asked.id))
  }
}

/** All clients. */
export class SharedHosts {
  readonly #begin: Begin
  readonly #most: number
  /** In the order of last use. */
  readonly #all = new Map<string, Shared>()

  /** `most`: how many conversations there may be at the same time. */
  constructor(begin: Begin, most: number) {
    this.#begin = begin
    this.#most = most
  }

  readonly answer: Answer = (write) => {
    let shared: Shared | undefined
    let number: RequestId | undefined
    return {
      receive: (request) => {
        const { id, params } = request
        const envelope = Envelope.read(params)
        if ("code" in envelope) return write({ jsonrpc: "2.0", id, error: { ...envelope } })
        shared ??= this.#of(JSON.stringify([envelope.clientInfo, envelope.capabilities]))
        if (shared !== undefined) return void (number = shared.take(request, write, number))
        const message = `${this.#most} clients, the maximum, wait for answers from servers of their own; ` +
          "call again when one of them has its answer"
        write({ jsonrpc: "2.0", id, error: { code: JsonRpcError.ourCode, message } })
      },
      close: () => {
        if (number !== undefined) shared?.leave(number)
      }
    }
  }

  /** Ends all. What is not answered yet is answered with `why`. */
  async close(why: string): Promise<void> {
    const all = [...this.#all.values()]
    this.#all.clear()
    await Promise.allSettled(all.map((shared) => shared.close(why)))
  }

  /** Called now and then: ends conversations that have not been used for so long, in milliseconds. Their hosts' next requests begin others. */
  beat(idle: number): void {
    const now = performance.now()
    for (const [client, shared] of this.#all) {
      if (!shared.isUnused(now, idle)) continue
      this.#all.delete(client)
      void shared.close("the conversation was unused").catch(() => undefined)
    }
  }

  #of(client: string): Shared | undefined {
    const known = this.#all.get(client)
    this.#all.delete(client)
    if (known === undefined && !this.#makeRoom()) return undefined
    const shared = known ?? new Shared(this.#begin)
    this.#all.set(client, shared)
    return shared
  }

  /**
   * Whether there is room for one more client. A client without a session does not say when it leaves. So if there is no room, this closes
   * the conversation of the client that has been idle for the longest time; if no client is idle, there is no room.
   */
  #makeRoom(): boolean {
    if (this.#all.size < this.#most) return true
    const idle = [...this.#all].find(([, { isIdle }]) => isIdle)
    if (idle === undefined) return false
    const [client, shared] = idle
    this.#all.delete(client)
    void shared.close("the conversation made room for others").catch(() => undefined)
    return true
  }
}
