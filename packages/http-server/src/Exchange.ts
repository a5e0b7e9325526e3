/**
 * Answers a POST with plain JSON if the answer comes soon and no message precedes it, otherwise with a stream, so that proxies see that the connection
 * is alive.
 */
import type { Bytes } from "@mcp-lifeline/core/text"
import { type Answer, type ClientRequest, JsonRpcError, type Responder, Turns } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"
import * as messages from "./messages.js"
import { notTakenHeader } from "./Refusal.js"
import type { SseWriter } from "./SseWriter.js"

/** How long an answer may take before a stream starts, in milliseconds. */
export const streamDelay = 1000

/** In characters: a shorter text takes less bytes than are counted (`Unread`). */
const longText = 16_384

const isUnsent = (answer: Answer): boolean => "error" in answer && JsonRpcError.isUnsent(answer.error)

/**
 * Takes the response of a POST of which nothing was sent (`ClientRequest.mayMove`), to be answered elsewhere; it may be a stream that has begun.
 * `body`: the POST's requests.
 */
export type Unsent = (response: ServerResponse, body: Buffer) => void

/** Of a POST. */
export interface Arrived {
  readonly bytes?: Bytes
  readonly isRepeated?: boolean
  readonly unsent?: Unsent | undefined
}

export interface Options {
  readonly response: ServerResponse
  readonly ids: ReadonlyArray<RequestId>
  readonly isBatch: boolean
  readonly makeStream: () => SseWriter
  readonly sessionId?: (() => string | undefined) | undefined
  /** `never`: the answer is JSON, however long it takes. Default: after `streamDelay`. */
  readonly streams?: "never" | undefined
  readonly statusOf?: ((answer: Answer) => number) | undefined
  /** Takes the response if all answers say that nothing was sent. Default: the client gets these. Must not throw. */
  readonly unsent?: ((response: ServerResponse) => void) | undefined
  /** Called once, when all requests are answered or cancelled, before `unsent`. */
  readonly onOver?: (() => void) | undefined
  readonly onError: (error: unknown) => void
}

interface Held {
  readonly id: RequestId
  readonly text: string
  readonly isUnsent: boolean
  readonly mayMove: boolean
}

export class Exchange implements Responder {
  readonly #options: Options
  readonly #open: Set<RequestId>
  #stream: SseWriter | undefined
  readonly #answers: Array<Held> = []
  #timer: NodeJS.Timeout | undefined

  constructor(options: Options) {
    this.#options = options
    this.#open = new Set(options.ids)
    if (options.streams !== "never") this.#timer = setTimeout(() => this.#startStream(), streamDelay)
  }

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
      // Node.js writes a text and its headers at once; what is long is counted in bytes while it waits.
      const body = text.length > longText ? Buffer.from(text) : text
      response.writeHead(isTaken ? status : 503, {
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(body),
        ...(isTaken ? undefined : { "Retry-After": "1", [notTakenHeader]: "1" }),
        ...(session === undefined ? undefined : { "Mcp-Session-Id": session })
      })
      response.end(body)
    })
  }
}
