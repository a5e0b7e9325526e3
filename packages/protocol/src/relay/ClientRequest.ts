/**
 * A request of a client, from its arrival to its answer. It is answered once, cancelled, or answered that it was interrupted, whoever works
 * on it. It is entered in one map, that of its client's requests, and leaves it when it is over.
 */
import type { Backend } from "@mcp-lifeline/core"
import { Bytes, ExactJson } from "@mcp-lifeline/core/internal"
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import * as JsonRpcError from "./JsonRpcError.js"

/** What is known of a request that ends without an answer. */
export type Fate = "notSent" | "unknown"

/** What a request is answered with. `resultText` is a result as JSON, for example a list that all clients get. */
export type Answer =
  | { readonly result: Result }
  | { readonly resultText: string }
  | { readonly error: JsonRpcError.JsonRpcError }

/** The way back to the client. None of its functions may throw. */
export interface Responder {
  /** Gives the client a message during the request. */
  readonly say: (request: ClientRequest, message: JSONRPCNotification | JSONRPCRequest) => void
  /** Gives the client the answer. Called at most once. */
  readonly answer: (request: ClientRequest, answer: Answer) => void
  /** The client does not wait for the answer any more. Called instead of `answer`. `reason`: what the client says of it. */
  readonly cancelled?: (request: ClientRequest, reason: unknown) => void
}

/** What is done for a request. */
export interface Work {
  /**
   * Stops it, and gives what is known of the request now. Gives nothing if the work still answers the request itself, soon: that it was
   * interrupted, unless its result comes first. `why`: the statement for that error.
   */
  readonly stop: (reason: unknown, why?: string) => Fate | undefined
  /** The client has stopped listening: puts a silent server in doubt. */
  readonly doubt?: () => void
}

/** A response with an answer. */
export const responseOf = (id: RequestId, answer: Answer): JSONRPCResponse =>
  "resultText" in answer
    ? { jsonrpc: "2.0", id, result: ExactJson.parse(answer.resultText) as Result }
    : { jsonrpc: "2.0", id, ...answer }

/** A request of a client that is not over, or was. */
export class ClientRequest {
  readonly id: RequestId
  /** The id that the client has given it. Another one than `id` where this request stands for that of the client. */
  givenId: RequestId
  readonly method: string
  readonly params: JSONRPCRequest["params"]
  /** The bytes of the body in which it came, as far as that is known. */
  bytes = Bytes(0)
  /** What is done for it now. */
  work: Work | undefined
  /** Whether another process may have carried it out before, which has not answered it. */
  isRepeated = false
  /** Whether it may be carried out elsewhere if it is interrupted before it was sent. */
  mayMove = false
  /** The server to which it was sent. */
  backend: Backend.Backend | undefined
  /** Adds to the params for the server what the measurement of the request needs there. */
  traced: ((params: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>) | undefined
  /** Called each time that it is sent to a server, with the generation of the connection. Must not throw. */
  onSent: ((generation: number) => void) | undefined
  /** Keeps its answer, until it calls `hand` once, with this answer or another one. Must not throw. */
  held: ((answer: Answer, hand: (answer: Answer) => void) => void) | undefined
  #isHeld = false
  #onOver: ((error: string | undefined, fate?: Fate) => void) | undefined
  readonly #responder: Responder
  readonly #left: (request: ClientRequest) => void
  #isOver = false

  /** `left`: called when it is over, before its answer is handed on. */
  constructor({ id, method, params }: JSONRPCRequest, responder: Responder, left: (request: ClientRequest) => void) {
    this.id = id
    this.givenId = id
    this.method = method
    this.params = params
    this.#responder = responder
    this.#left = left
  }

  /** Whether it is answered or cancelled. */
  get isOver(): boolean {
    return this.#isOver
  }

  /**
   * Calls `step` once, when it is over and its answer has been handed on. `error`: what went wrong, if something did. `fate`: if it was cancelled, what
   * is known of it then.
   */
  onOver(step: (error: string | undefined, fate?: Fate) => void): void {
    const before = this.#onOver
    this.#onOver = before === undefined ? step : (error, fate) => {
      before(error, fate)
      step(error, fate)
    }
  }

  /** Gives the client a message during the request; nothing after its answer. */
  say(message: JSONRPCNotification | JSONRPCRequest): void {
    if (!this.#isOver) this.#responder.say(this, message)
  }

  /** Answers it, unless it is over, or has an answer that is held. */
  answer(answer: Answer): void {
    if (this.held === undefined) return this.#hand(answer)
    if (this.#isOver || this.#isHeld) return
    this.#isHeld = true
    // Nothing is left to stop.
    this.work = undefined
    this.held(answer, (given) => this.#hand(given))
  }

  #hand(answer: Answer): void {
    if (!this.#leave()) return
    try {
      this.#responder.answer(this, answer)
    } finally {
      this.#onOver?.("error" in answer ? String(answer.error.code) : undefined)
    }
  }

  /** Answers with an error that has nothing beside its code and its message. */
  refuse(code: number, message: string): void {
    this.answer({ error: { code, message } })
  }

  /** The client does not wait for it any more: stops the work, and answers nothing. */
  cancel(reason?: unknown): void {
    if (!this.#leave()) return
    let fate: Fate | undefined
    try {
      fate = this.work?.stop(reason)
      this.#responder.cancelled?.(this, reason)
    } finally {
      this.#onOver?.("cancelled", fate)
    }
  }

  /**
   * The client's connection is closed, on which the answer would have gone. That is no cancellation, because the client may come back for the answer
   * (specification 2025-11-25, "Sending Messages to the Server"); but it is a reason to look whether the server lives.
   */
  clientLeft(): void {
    if (!this.#isOver) this.work?.doubt?.()
  }

  /** Stops the work, and answers: that `why`, and what is known of the request. */
  interrupt(why: string): void {
    if (this.#isOver) return
    const fate = this.work === undefined ? "notSent" : this.work.stop(why, why)
    if (fate !== undefined) this.answer({ error: JsonRpcError.interrupted(why, fate) })
  }

  #leave(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#left(this)
    return true
  }
}

/** The work for a request that another one stands for. */
export const workOf = (inner: ClientRequest): Work => ({
  stop: (reason, why) => {
    if (why === undefined) inner.cancel(reason)
    else inner.interrupt(why)
    return undefined
  },
  doubt: () => inner.clientLeft()
})

/** The requests of one client that are not over, by id, in the order in which they came. */
export class ClientRequests {
  readonly #all = new Map<RequestId, ClientRequest>()
  /** Who waits until there is none. */
  #waiting: Array<() => void> = []
  readonly #left = (request: ClientRequest): void => {
    if (this.#all.get(request.id) === request) this.#all.delete(request.id)
    if (this.#all.size > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }

  get size(): number {
    return this.#all.size
  }

  get(id: RequestId): ClientRequest | undefined {
    return this.#all.get(id)
  }

  [Symbol.iterator](): IterableIterator<ClientRequest> {
    return this.#all.values()
  }

  /** Enters one more. Its id must not be that of another one. */
  open(message: JSONRPCRequest, responder: Responder): ClientRequest {
    const request = new ClientRequest(message, responder, this.#left)
    this.#all.set(message.id, request)
    return request
  }

  /** Enters one that is worked on in place of another one, and ends with it. */
  openFor(outer: ClientRequest, message: JSONRPCRequest, responder: Responder): ClientRequest {
    const request = this.open(message, responder)
    request.givenId = outer.givenId
    outer.work = workOf(request)
    return request
  }

  /** Handles `notifications/cancelled`; says whether there is such a request. The protocol forbids to cancel `initialize`. */
  cancel({ params }: JSONRPCNotification): boolean {
    const request = this.#all.get(params?.["requestId"] as RequestId)
    if (request === undefined) return false
    if (request.method !== "initialize") request.cancel(params?.["reason"])
    return true
  }

  /** Interrupts all; ends when all are answered. */
  interrupt(why: string): Promise<void> {
    for (const request of [...this.#all.values()]) request.interrupt(why)
    return this.settled
  }

  /** Ends when none is left. */
  get settled(): Promise<void> {
    if (this.#all.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** The latest one for which a condition holds. */
  latest(where: (request: ClientRequest) => boolean): ClientRequest | undefined {
    let latest: ClientRequest | undefined
    for (const request of this.#all.values()) if (where(request)) latest = request
    return latest
  }
}
