/**
 * A call of a host without a session.
 */
import type { Answer, ClientRequest, Responder } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type * as Envelope from "./Envelope.js"

/** What a call does to its host. */
export interface CallHandlers {
  readonly say: (call: StatelessCall, message: JSONRPCNotification | JSONRPCRequest) => void
  readonly answered: (call: StatelessCall, answer: Answer) => void
  readonly cancelled: (call: StatelessCall) => void
}

/** A call of the host: what stands for its requests in the session, also while the host has been asked for something. */
export class StatelessCall implements Responder {
  /** The host's request that waits now; undefined while the host has been asked for something. */
  waiting: ClientRequest | undefined
  /** What the host says of itself in the request that waits now. */
  envelope: Envelope.Envelope
  /** What the server asks, and the host has not been given yet. */
  readonly questions = new Map<RequestId, JSONRPCRequest>()
  /** The answer, where it came while the host had been asked for something. */
  early: Answer | undefined
  readonly method: string
  /** Of the resource that it asks for. */
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
