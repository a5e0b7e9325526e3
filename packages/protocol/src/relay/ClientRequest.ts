/** Answered once, cancelled, or answered that it was interrupted, whoever works on it. */
import type { Backend } from "@mcp-lifeline/core"
import { Bytes, ExactJson } from "@mcp-lifeline/core/text"
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import * as JsonRpcError from "./JsonRpcError.js"

export type Fate = "notSent" | "unknown"

/** `resultText`: a result as JSON, for example a list that all clients get. */
export type Answer =
  | { readonly result: Result }
  | { readonly resultText: string }
  | { readonly error: JsonRpcError.JsonRpcError }

/** None of its functions may throw. */
export interface Responder {
  readonly say: (request: ClientRequest, message: JSONRPCNotification | JSONRPCRequest) => void
  /** Called at most once. */
  readonly answer: (request: ClientRequest, answer: Answer) => void
  /** Called instead of `answer`. `reason`: what the client says of it. */
  readonly cancelled?: (request: ClientRequest, reason: unknown) => void
}

export interface Work {
  /**
   * Stops it, and returns what is known of the request now; undefined if the work answers the request itself, soon: that it was
   * interrupted, unless its result comes first. `why`: the statement for that error.
   */
  readonly stop: (reason: unknown, why?: string) => Fate | undefined
  /** Puts a silent server in doubt. */
  readonly doubt?: () => void
}

export const responseOf = (id: RequestId, answer: Answer): JSONRPCResponse =>
  "resultText" in answer
    ? { jsonrpc: "2.0", id, result: ExactJson.parse(answer.resultText) as Result }
    : { jsonrpc: "2.0", id, ...answer }

export class ClientRequest {
  readonly id: RequestId
  /** The client's id. Another one than `id` where this request stands for that of the client. */
  givenId: RequestId
  readonly method: string
  readonly params: JSONRPCRequest["params"]
  /** Of the body in which it came, as far as known. */
  bytes = Bytes(0)
  work: Work | undefined
  /** Another process may have carried it out before, and has not answered it. */
  isRepeated = false
  /** It may be carried out elsewhere if it is interrupted before it was sent. */
  mayMove = false
  backend: Backend.Backend | undefined
  /** Adds what its measurement needs at the server. */
  traced: ((params: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>) | undefined
  /** Called each time that it is sent, with the generation of the connection. Must not throw. */
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

  get isOver(): boolean {
    return this.#isOver
  }

  /** Calls `step` once, when it is over and its answer was handed on. `error`: what went wrong. `fate`: of a cancelled one. */
  onOver(step: (error: string | undefined, fate?: Fate) => void): void {
    const before = this.#onOver
    this.#onOver = before === undefined ? step : (error, fate) => {
      before(error, fate)
      step(error, fate)
    }
  }

  /** Nothing after its answer. */
  say(message: JSONRPCNotification | JSONRPCRequest): void {
    if (!this.#isOver) this.#responder.say(this, message)
  }

  /** Unless it is over, or has an answer that is held. */
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

  refuse(code: number, message: string): void {
    this.answer({ error: { code, message } })
  }

  /** Stops the work, and answers nothing. */
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
   * The client's connection is closed. That is no cancellation, because the client may come back for the answer (specification 2025-11-25,
   * "Sending Messages to the Server"); but a reason to look whether the server lives.
   */
  clientLeft(): void {
    if (!this.#isOver) this.work?.doubt?.()
  }

  /** Answers `why`, with what is known. */
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

export const workOf = (inner: ClientRequest): Work => ({
  stop: (reason, why) => {
    if (why === undefined) inner.cancel(reason)
    else inner.interrupt(why)
    return undefined
  },
  doubt: () => inner.clientLeft()
})

/** In the order in which they came. */
export class ClientRequests {
  readonly #all = new Map<RequestId, ClientRequest>()
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

  /** Its id must not be that of another one. */
  open(message: JSONRPCRequest, responder: Responder): ClientRequest {
    const request = new ClientRequest(message, responder, this.#left)
    this.#all.set(message.id, request)
    return request
  }

  /** It is worked on in place of `outer`, and ends with it. */
  openFor(outer: ClientRequest, message: JSONRPCRequest, responder: Responder): ClientRequest {
    const request = this.open(message, responder)
    request.givenId = outer.givenId
    outer.work = workOf(request)
    return request
  }

  /** Handles `notifications/cancelled`; whether there is such a request. The protocol forbids to cancel `initialize`. */
  cancel({ params }: JSONRPCNotification): boolean {
    const request = this.#all.get(params?.["requestId"] as RequestId)
    if (request === undefined) return false
    if (request.method !== "initialize") request.cancel(params?.["reason"])
    return true
  }

  /** Ends when all are answered. */
  interrupt(why: string): Promise<void> {
    for (const request of [...this.#all.values()]) request.interrupt(why)
    return this.settled
  }

  get settled(): Promise<void> {
    if (this.#all.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  latest(where: (request: ClientRequest) => boolean): ClientRequest | undefined {
    return [...this.#all.values()].findLast(where)
  }
}
