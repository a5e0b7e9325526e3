/**
 * One POST with requests, and what it is answered: plain JSON where nothing is said before the answer and that comes soon, otherwise
 * a stream of events, so that what stands between sees that the connection lives.
 */
import type { Answer, ClientRequest, Responder } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"
import * as messages from "./messages.js"
import type { SseWriter } from "./SseWriter.js"

/** How long an answer may take before a stream begins, in milliseconds. */
export const streamDelay = 1000

/** How an exchange is made. */
export interface Options {
  readonly response: ServerResponse
  /** The requests. */
  readonly ids: ReadonlyArray<RequestId>
  /** Whether they came as an array, and are answered with one. */
  readonly isBatch: boolean
  /** Makes the stream that is answered with, where that is one. */
  readonly makeStream: () => SseWriter
  /** Further headers of an answer in JSON, as they are when it is written. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined
  /** Whether a stream begins at once; `never`: the answer is JSON, however long it takes. */
  readonly streams?: "atOnce" | "never" | undefined
  /** The status of an answer in JSON. Default 200. */
  readonly statusOf?: ((answer: Answer) => number) | undefined
  /** Called once, when all requests are answered or cancelled. */
  readonly onOver?: (() => void) | undefined
  /** Takes why a message cannot be written. */
  readonly onError: (error: unknown) => void
}

/** Holds its answer back until it is known what form that has. */
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
    if (options.streams === "atOnce") this.#begin()
    else if (options.streams !== "never") this.#timer = setTimeout(() => this.#begin(), streamDelay)
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
    this.#begin()
    this.#stream?.say(text, messages.kindOf(message))
  }

  answer({ id }: ClientRequest, answer: Answer): void {
    if (!this.#open.delete(id)) return
    const text = messages.encodeAnswer(id, answer)
    if (this.#stream === undefined) this.#answers.push({ id, text })
    else this.#stream.say(text, { answers: id })
    this.#settle(this.#options.statusOf?.(answer) ?? 200)
  }

  cancelled({ id }: ClientRequest): void {
    if (this.#open.delete(id)) this.#settle(200)
  }

  #begin(): void {
    clearTimeout(this.#timer)
    const { makeStream, response } = this.#options
    // Who has gone before it had an id of an event cannot come back for it.
    if (this.#stream !== undefined || response.destroyed) return
    this.#stream = makeStream()
    this.#stream.attach(response)
    for (const { id, text } of this.#answers.splice(0)) this.#stream.say(text, { answers: id })
  }

  #settle(status: number): void {
    if (!this.isOver) return
    clearTimeout(this.#timer)
    if (this.#stream === undefined) this.#writeJson(status)
    else this.#stream.end()
    this.#options.onOver?.()
  }

  #writeJson(status: number): void {
    const { headers, isBatch, response } = this.#options
    if (response.destroyed) return
    const texts = this.#answers.map(({ text }) => text)
    const [first] = texts
    if (first === undefined) {
      // All was cancelled: a stream without an answer.
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      return void response.end()
    }
    const text = isBatch ? `[${texts.join(",")}]` : first
    response.writeHead(status, {
      ...headers?.(),
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text)
    })
    response.end(text)
  }
}
