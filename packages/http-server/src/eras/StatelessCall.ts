/**
 * A call of a client without a session.
 */
import type { Answer, ClientRequest, Responder } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type * as Envelope from "./Envelope.js"

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
  readonly questions = new Map<RequestId, JSONRPCRequest>()
  /** The answer, if it came while the client was asked for input. */
  earlyAnswer: Answer | undefined
  readonly method: string
  /** `uri` in its params, for an error about that resource. */
  readonly uri: unknown
  readonly #handlers: CallHandlers

  constructor(waiting: ClientRequest, envelope: Envelope.Envelope, handlers: CallHandlers) {
    this.waiting = waiting
    this.envelope = envelope
    this.method = waiting.method
    this.uri = waiting.params?.["uri"]
    this.#handlers = handlers
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
