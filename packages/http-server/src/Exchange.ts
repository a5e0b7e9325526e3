/**
 * Answers one POST: with plain JSON if the answer comes soon and no message precedes it, otherwise with a stream of events, so that proxies
 * see that the connection is alive.
 */
import type { Answer, ClientRequest, Responder } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"
import * as messages from "./messages.js"
import type { SseWriter } from "./SseWriter.js"

/** How long an answer may take before a stream starts, in milliseconds. */
export const streamDelay = 1000

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
  /** Called once, when all requests are answered or cancelled. */
  readonly onOver?: (() => void) | undefined
  /** Called when a message cannot be written. */
  readonly onError: (error: unknown) => void
}

/** Holds answers back until it knows whether to send JSON or a stream. */
export class Exchange implements Responder {
  readonly #options: Options
  readonly #open: Set<RequestId>
  #stream: SseWriter | undefined
  /** Answers that wait for others of the same POST. */
  readonly #answers: Array<{ readonly id: RequestId; readonly text: string }> = []
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

  answer({ id }: ClientRequest, answer: Answer): void {
    if (!this.#open.delete(id)) return
    const text = messages.encodeAnswer(id, answer)
    if (this.#stream === undefined) this.#answers.push({ id, text })
    else this.#stream.send(text, { answers: id })
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
    for (const { id, text } of this.#answers.splice(0)) this.#stream.send(text, { answers: id })
  }

  #finishIfOver(status: number): void {
    if (!this.isOver) return
    clearTimeout(this.#timer)
    if (this.#stream === undefined) this.#writeJson(status)
    else this.#stream.end()
    this.#options.onOver?.()
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
    response.writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
      ...(session === undefined ? {} : { "Mcp-Session-Id": session })
    })
    response.end(text)
  }
}
