/**
 * Requests of the protocol without sessions, where all that come from the same client share a conversation: with a server that keeps
 * something from one request to the next, they are one user's. Who the client is, and what it can do, each request says.
 */
import { JsonRpcError, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Conversation } from "../http/Conversation.js"
import type { Answer } from "./Answering.js"
import * as Envelope from "./Envelope.js"
import { parkedUnder } from "./StatelessHost.js"
import { closing, stamped } from "./Subscriptions.js"

type Write = (message: JSONRPCMessage, about?: RequestId) => void

/** Begins a conversation, which tells of each message about which request it is. */
export type Begin = (write: Write) => Conversation

/** A request of a client: numbers are the client's own, and others use the same. */
interface Asked {
  readonly id: RequestId
  readonly isListening: boolean
  readonly write: (message: JSONRPCMessage) => void
}

/** A message as a client knows it. */
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
  /** By the number that each has in the conversation. */
  readonly #asked = new Map<RequestId, Asked>()
  #last = 0

  constructor(begin: Begin) {
    this.#conversation = begin((message, about) => this.#deliver(message, about))
  }

  /** Whether nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#asked.size === 0
  }

  /** Takes a request, which may be the successor of another one; gives its number. */
  take(request: JSONRPCRequest, write: Asked["write"], before: RequestId | undefined): RequestId {
    if (before !== undefined) this.#asked.delete(before)
    const id = ++this.#last
    this.#asked.set(id, { id: request.id, isListening: request.method === "subscriptions/listen", write })
    this.#conversation.receive({ ...request, id })
    return id
  }

  /** Nobody waits for the answer any more. */
  leave(number: RequestId): void {
    const asked = this.#asked.get(number)
    if (asked === undefined) return
    this.#asked.delete(number)
    this.#conversation.receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: number } })
    if (asked.isListening) asked.write(closing(asked.id))
  }

  close(): Promise<void> {
    return this.#conversation.close()
  }

  #deliver(message: JSONRPCMessage, about: RequestId | undefined): void {
    const asked = about === undefined ? undefined : this.#asked.get(about)
    if (asked === undefined) return
    if (!("method" in message) && parkedUnder(message) === undefined) this.#asked.delete(about as RequestId)
    asked.write(renumbered(message, asked.id))
  }
}

/** All clients. */
export class SharedHosts {
  readonly #begin: Begin
  readonly #most: number
  /** The one that was used last comes last. */
  readonly #all = new Map<string, Shared>()

  /** `most`: conversations at once. */
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
        const message =
          `${this.#most} clients wait for answers, each of which has a server of its own, which is the most; ` +
          "call again when one of them is done"
        write({ jsonrpc: "2.0", id, error: { code: JsonRpcError.ourCode, message } })
      },
      close: () => {
        if (number !== undefined) shared?.leave(number)
      }
    }
  }

  /** Ends all. */
  async close(): Promise<void> {
    const all = [...this.#all.values()]
    this.#all.clear()
    await Promise.allSettled(all.map((shared) => shared.close()))
  }

  #of(client: string): Shared | undefined {
    const known = this.#all.get(client)
    this.#all.delete(client)
    if (known === undefined && !this.#makeRoom()) return undefined
    const shared = known ?? new Shared(this.#begin)
    this.#all.set(client, shared)
    return shared
  }

  /** A client without a session does not say when it goes: the one that has been silent longest makes room. */
  #makeRoom(): boolean {
    if (this.#all.size < this.#most) return true
    const idle = [...this.#all].find(([, { isIdle }]) => isIdle)
    if (idle === undefined) return false
    const [client, shared] = idle
    this.#all.delete(client)
    void shared.close().catch(() => undefined)
    return true
  }
}
