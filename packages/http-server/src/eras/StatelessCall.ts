/**
 * A call of a client without a session.
 */
import { Bytes, EntrySize } from "@mcp-lifeline/core/internal"
import type { Answer, ClientRequest, Responder } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type * as Envelope from "./Envelope.js"
import { questions } from "./parkedLimits.js"

/** Called with what arrives for a call. */
export interface CallHandlers {
  readonly say: (call: StatelessCall, message: JSONRPCNotification | JSONRPCRequest) => void
  readonly answered: (call: StatelessCall, answer: Answer) => void
  readonly cancelled: (call: StatelessCall) => void
}

/** One call in the session, for which a client may send several requests: one more each time it was asked for input. */
export class StatelessCall implements Responder {
  /** The client's request that waits for the result; undefined while the client is asked for input. */
  waiting: ClientRequest | undefined
  /** The envelope of the latest request. */
  envelope: Envelope.Envelope
  /** Questions of the server that the client has not been sent yet. */
  readonly #questions = new Map<RequestId, { readonly question: JSONRPCRequest; readonly bytes: Bytes }>()
  readonly #room = questions.holderOf(this)
  /** The bytes of the body in which it came. */
  readonly bytes: Bytes
  /** The answer, if it came while the client was asked for input, and the room that it takes. */
  earlyAnswer: Answer | undefined
  earlyBytes = Bytes(0)
  readonly method: string
  /** `uri` in its params, for an error about that resource. */
  readonly uri: unknown
  readonly #handlers: CallHandlers

  constructor(waiting: ClientRequest, envelope: Envelope.Envelope, handlers: CallHandlers) {
    this.waiting = waiting
    this.envelope = envelope
    this.method = waiting.method
    this.uri = waiting.params?.["uri"]
    this.bytes = waiting.bytes
    this.#handlers = handlers
  }

  get questions(): ReadonlyArray<JSONRPCRequest> {
    return Array.from(this.#questions.values(), ({ question }) => question)
  }

  /** Keeps a question for the client. Returns whether there is room for it. */
  ask(question: JSONRPCRequest): boolean {
    const bytes = EntrySize.of(question)
    this.withdraw(question.id)
    if (this.#room.take(bytes) !== undefined) return false
    this.#questions.set(question.id, { question, bytes })
    return true
  }

  /** A question is not to be sent any more. */
  withdraw(id: RequestId): void {
    const asked = this.#questions.get(id)
    if (asked === undefined) return
    this.#questions.delete(id)
    this.#room.release(asked.bytes)
  }

  /** Takes the questions, which are kept no longer. */
  takeQuestions(): ReadonlyArray<JSONRPCRequest> {
    const all = this.questions
    for (const { id } of all) this.withdraw(id)
    return all
  }

  say(_request: ClientRequest, message: JSONRPCNotification | JSONRPCRequest): void {
    this.#handlers.say(this, message)
  }

  answer(_request: ClientRequest, answer: Answer): void {
    this.#handlers.answered(this, answer)
  }

  cancelled(): void {
    this.#handlers.cancelled(this)
  }
}
