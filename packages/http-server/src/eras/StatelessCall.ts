import { Bytes, JsonValue } from "@mcp-lifeline/core/text"
import type { Answer, ClientRequest, Holding } from "@mcp-lifeline/protocol"
import type { JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type * as Envelope from "./Envelope.js"
import { questions } from "./parkedLimits.js"

/** A client may send several requests for one call: one more each time it was asked for input. */
export class StatelessCall {
  /** Undefined while the client is asked for input. */
  waiting: ClientRequest | undefined
  envelope: Envelope.Envelope
  /** Those that the client has not been sent yet. */
  readonly #questions = new Map<RequestId, { readonly question: JSONRPCRequest; readonly bytes: Bytes }>()
  readonly #room: Holding
  /** Of the body in which it came. */
  readonly bytes: Bytes
  /** Came while the client was asked for input. */
  earlyAnswer: Answer | undefined
  earlyBytes = Bytes(0)
  readonly method: string
  /** For an error about that resource. */
  readonly uri: unknown

  constructor(waiting: ClientRequest, envelope: Envelope.Envelope, sharer: unknown) {
    this.waiting = waiting
    this.envelope = envelope
    this.method = waiting.method
    this.uri = waiting.params?.["uri"]
    this.bytes = waiting.bytes
    this.#room = questions.holderOf(sharer)
  }

  /** Returns whether there is room. */
  ask(question: JSONRPCRequest): boolean {
    const bytes = JsonValue.sizeOf(question)
    this.withdraw(question.id)
    if (this.#room.take(bytes) !== undefined) return false
    this.#questions.set(question.id, { question, bytes })
    return true
  }

  withdraw(id: RequestId): void {
    const asked = this.#questions.get(id)
    if (asked === undefined) return
    this.#questions.delete(id)
    this.#room.release(asked.bytes)
  }

  takeQuestions(): ReadonlyArray<JSONRPCRequest> {
    const all = Array.from(this.#questions.values(), ({ question }) => question)
    for (const { id } of all) this.withdraw(id)
    return all
  }
}
