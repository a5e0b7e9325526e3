/**
 * Answers one POST: with plain JSON if the answer comes soon and no message precedes it, otherwise with a stream of events, so that proxies
 * see that the connection is alive.
 */
import { type Answer, type ClientRequest, JsonRpcError, type Responder, Turns } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"
import * as messages from "./messages.js"
import { notTakenHeader } from "./Refusal.js"
import type { SseWriter } from "./SseWriter.js"

/** How long an answer may take before a stream starts, in milliseconds. */
export const streamDelay = 1000

/** Whether a request was interrupted here before it was sent: it can be sent again, here or to another replica. */
const isUnsent = (answer: Answer): boolean => "error" in answer && JsonRpcError.isUnsent(answer.error)

/**
 * Takes the response of a POST of which nothing was sent before it was interrupted (`ClientRequest.mayMove`), so that it can be answered elsewhere. The
 * response may be a stream of events that has begun. `body`: the POST's requests.
 */
export type Unsent = (response: ServerResponse, body: Buffer) => void

/** How an exchange is made. */
export interface Options {
  readonly response: ServerResponse
  /** The ids of the requests in the POST. */
  readonly ids: ReadonlyArray<RequestId>
  /** Whether the requests came as an array, which needs an array as its answer. */
  readonly isBatch: boolean
  /** Makes the stream, if the answer needs one. */
  readonly makeStream: () => SseWriter
  /** The session that an answer in JSON names, if any; called when the answer is written. */
  readonly sessionId?: (() => string | undefined) | undefined
  /** `atOnce`: a stream starts immediately. `never`: the answer is JSON, however long it takes. Default: after `streamDelay`. */
  readonly streams?: "atOnce" | "never" | undefined
  /** The status of an answer in JSON. Default 200. */
  readonly statusOf?: ((answer: Answer) => number) | undefined
  /** Takes the response in place of answers that all say that nothing was sent. Default: the client gets these. Must not throw. */
  readonly unsent?: ((response: ServerResponse) => void) | undefined
  /** Called once, when all requests are answered or cancelled, and before `unsent`. */
  readonly onOver?: (() => void) | undefined
  /** Called when a message cannot be written. */
  readonly onError: (error: unknown) => void
}

/** An answer that is held back. */
interface Held {
  readonly id: RequestId
  readonly text: string
  readonly isUnsent: boolean
  readonly mayMove: boolean
}

/** Holds answers back until it knows whether to send JSON or a stream. */
export class Exchange implements Responder {
  readonly #options: Options
  readonly #open: Set<RequestId>
  #stream: SseWriter | undefined
  /** Answers that wait for others of the same POST. */
  readonly #answers: Array<Held> = []
  #timer: NodeJS.Timeout | undefined

  constructor(options: Options) {
    this.#options = options
    this.#open = new Set(options.ids)
    if (options.streams === "atOnce") this.#startStream()
    else if (options.streams !== "never") this.#timer = setTimeout(() => this.#startStream(), streamDelay)
  }

  /** Whether all requests are answered or cancelled. */
  get isOver(): boolean {
    return this.#open.size === 0
  }

  say(_request: ClientRequest | undefined, message: JSONRPCNotification | JSONRPCRequest): void {
    const { onError, streams } = this.#options
    if (this.isOver || streams === "never") return
    const text = messages.encode(message)
    if (text === undefined) return onError(messages.unwritable(message))
    this.#startStream()
    this.#stream?.send(text, messages.kindOf(message))
  }

  answer({ id, mayMove }: ClientRequest, answer: Answer): void {
    if (!this.#open.delete(id)) return
    const held = { id, text: messages.encodeAnswer(id, answer), isUnsent: isUnsent(answer), mayMove }
    if (this.#stream === undefined || (held.isUnsent && mayMove)) this.#answers.push(held)
    else this.#stream.send(held.text, { answers: id })
    this.#finishIfOver(this.#options.statusOf?.(answer) ?? 200)
  }

  cancelled({ id }: ClientRequest): void {
    if (this.#open.delete(id)) this.#finishIfOver(200)
  }

  #startStream(): void {
    clearTimeout(this.#timer)
    const { makeStream, response } = this.#options
    // A client that disconnected before it got an event id cannot resume.
    if (this.#stream !== undefined || response.destroyed) return
    this.#stream = makeStream()
    this.#stream.attach(response)
    this.#sendHeld(this.#stream)
  }

  #sendHeld(stream: SseWriter): void {
    for (const { id, text } of this.#answers.splice(0)) stream.send(text, { answers: id })
  }

  /** Whether somebody else answers the whole POST. */
  #moves(): boolean {
    const { ids, response, unsent } = this.#options
    if (unsent === undefined || this.#answers.length < ids.length) return false
    if (!this.#answers.every(({ isUnsent, mayMove }) => isUnsent && mayMove)) return false
    return this.#stream === undefined ? !response.destroyed : this.#stream.release(response)
  }

  #finishIfOver(status: number): void {
    if (!this.isOver) return
    clearTimeout(this.#timer)
    const { onOver, response, unsent } = this.#options
    if (this.#moves()) {
      onOver?.()
      return unsent?.(response)
    }
    if (this.#stream === undefined) this.#writeJson(status)
    else {
      this.#sendHeld(this.#stream)
      this.#stream.end()
    }
    onOver?.()
  }

  #writeJson(status: number): void {
    const { isBatch, response, sessionId } = this.#options
    if (response.destroyed) return
    const texts = this.#answers.map(({ text }) => text)
    const [first] = texts
    if (first === undefined) {
      // The client cancelled all requests: send an empty stream.
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      return void response.end()
    }
    const text = isBatch ? `[${texts.join(",")}]` : first
    const session = sessionId?.()
    const isTaken = this.#answers.some(({ isUnsent }) => !isUnsent)
    Turns.run(text.length, () => {
      const bytes = Buffer.from(text)
      response.writeHead(isTaken ? status : 503, {
        ...(isTaken ? {} : { "Retry-After": "1", [notTakenHeader]: "1" }),
        "Content-Type": "application/json",
        "Content-Length": bytes.length,
        ...(session === undefined ? {} : { "Mcp-Session-Id": session })
      })
      response.end(bytes)
    })
  }
}
