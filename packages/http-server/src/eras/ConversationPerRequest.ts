/**
 * Begins a conversation for each request without a session, so that nothing crosses from one client to another. If the server asks for
 * input, the conversation waits for it.
 */
import { Bytes } from "@mcp-lifeline/core/text"
import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { Caller } from "../Caller.js"
import type { Begin } from "../Conversation.js"
import * as FairShare from "../FairShare.js"
import * as Conversing from "./conversing.js"
import * as Envelope from "./Envelope.js"
import { isTooMuch, parkedLimits } from "./parkedLimits.js"
import type { StatelessHandler } from "./StatelessHandler.js"

interface RequestConversation extends Conversing.Conversing {
  caller: Caller
}

export class ConversationPerRequest implements StatelessHandler {
  readonly #begin: Begin
  /** By the `requestState` that the client brings back. */
  readonly #parked = new Map<string, RequestConversation>()
  /** Of the bodies of their calls. */
  #bytes = 0

  constructor(begin: Begin) {
    this.#begin = begin
  }

  request(request: ClientRequest, caller: Caller): void {
    const current = this.#takeParked(request, caller) ?? this.#beginConversation(caller)
    request.onOver(() => this.#endOrPark(current))
    current.client.request(request)
  }

  hasParked(request: ClientRequest, caller: Caller): boolean {
    return this.#parkedFor(request, caller) !== undefined
  }

  endOf({ subject }: Pick<Caller, "subject">, why: string): void {
    for (const [state, { caller }] of this.#parked) if (caller.subject === subject) this.#abandon(state, why)
  }

  tick(): void {
    for (const [state, { client }] of this.#parked) {
      client.tick()
      if (client.pendingState === undefined) this.#abandon(state)
    }
  }

  async close(why: string): Promise<void> {
    const all = [...this.#parked.values()]
    this.#parked.clear()
    this.#bytes = 0
    await Promise.all(all.map((current) => Conversing.end(current, why)))
  }

  #beginConversation(caller: Caller): RequestConversation {
    const current: RequestConversation = {
      ...Conversing.begin(this.#begin, { caller: () => current.caller }),
      caller
    }
    return current
  }

  #forget(state: string): void {
    this.#bytes -= this.#parked.get(state)?.client.parkedBytes ?? 0
    this.#parked.delete(state)
  }

  #parkedFor({ params }: ClientRequest, { subject }: Caller): readonly [string, RequestConversation] | undefined {
    const state = Envelope.stateOf(params)
    const parked = state === undefined ? undefined : this.#parked.get(state)
    return state === undefined || parked?.caller.subject !== subject ? undefined : [state, parked]
  }

  #takeParked(request: ClientRequest, caller: Caller): RequestConversation | undefined {
    const [state, parked] = this.#parkedFor(request, caller) ?? []
    if (state === undefined || parked === undefined) return undefined
    this.#forget(state)
    parked.caller = caller
    return parked
  }

  #endOrPark(current: RequestConversation): void {
    const state = current.client.pendingState
    if (state === undefined) return void Conversing.end(current, "the request is over")
    this.#parked.set(state, current)
    this.#bytes += current.client.parkedBytes
    while (isTooMuch({ count: this.#parked.size, bytes: Bytes(this.#bytes) })) {
      const isNumber = this.#parked.size > parkedLimits.count
      const all = Array.from(this.#parked, ([state, { caller, client }]) => ({
        state,
        owner: caller.subject,
        amount: isNumber ? 1 : client.parkedBytes
      }))
      const oldest = FairShare.loser(all, current.caller.subject, () => true)
      if (oldest === undefined) return
      this.#abandon(oldest.state)
    }
  }

  #abandon(state: string, why = "the client did not come back"): void {
    const parked = this.#parked.get(state)
    this.#forget(state)
    if (parked !== undefined) void Conversing.end(parked, why)
  }
}
