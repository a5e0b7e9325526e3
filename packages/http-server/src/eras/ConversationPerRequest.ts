/**
 * Requests of the protocol without sessions, each of which is a conversation of its own: nothing crosses from one client to another. Where
 * the server asks the client something in place of the result, the conversation waits for the request that brings the answer.
 */
import type { ClientRequest } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import type { Begin, Conversation } from "../Conversation.js"
import { StatelessClient } from "./StatelessClient.js"
import type { StatelessHandler } from "./StatelessHandler.js"

/** Conversations that wait for a client's answer. */
const maxParked = 1000

/** The conversation of one request, and of its successors that bring answers. */
interface Own {
  readonly host: StatelessClient
  readonly conversation: Conversation
}

interface Parked extends Own {
  readonly tokenHash: string
}

/** Answers each request in a conversation of its own. */
export class ConversationPerRequest implements StatelessHandler {
  readonly #begin: Begin
  /** By the state that the client brings back. */
  readonly #parked = new Map<string, Parked>()

  constructor(begin: Begin) {
    this.#begin = begin
  }

  request(request: ClientRequest, tokenHash: string): void {
    const own = this.#waiting(request, tokenHash) ?? this.#open()
    request.onOver(() => this.#over(own, tokenHash))
    own.host.request(request)
  }

  tick(): void {
    for (const [state, { host }] of this.#parked) {
      host.tick()
      if (host.waitsUnder === undefined) this.#unpark(state)
    }
  }

  async close(why: string): Promise<void> {
    const all = [...this.#parked.values()]
    this.#parked.clear()
    await Promise.all(all.map((own) => this.#end(own, why)))
  }

  #open(): Own {
    const host: StatelessClient = new StatelessClient({
      name: "the gateway",
      session: {
        request: (request) => conversation.request(request),
        receive: (message) => conversation.receive(message),
        introduce: () => conversation.introduce()
      }
    })
    const conversation = this.#begin({
      isStateless: true,
      requests: host.requests,
      write: (message) => host.deliver(message),
      saveSettings: () => Promise.resolve()
    })
    return { host, conversation }
  }

  #waiting({ params }: ClientRequest, tokenHash: string): Own | undefined {
    const state = params?.["requestState"]
    const parked = Predicate.isString(state) ? this.#parked.get(state) : undefined
    if (parked?.tokenHash !== tokenHash) return undefined
    this.#parked.delete(String(state))
    return parked
  }

  /** The request is over: either so is the conversation, or it waits for what its client was asked. */
  #over(own: Own, tokenHash: string): void {
    const state = own.host.waitsUnder
    if (state === undefined) return void this.#end(own, "the request is over")
    this.#parked.set(state, { ...own, tokenHash })
    const [oldest] = this.#parked.keys()
    if (this.#parked.size > maxParked && oldest !== undefined) this.#unpark(oldest)
  }

  #unpark(state: string): void {
    const parked = this.#parked.get(state)
    this.#parked.delete(state)
    if (parked !== undefined) void this.#end(parked, "the client did not come back")
  }

  #end({ conversation, host }: Own, why: string): Promise<void> {
    host.end()
    return conversation.close(why).catch(() => undefined)
  }
}
