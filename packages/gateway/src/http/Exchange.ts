/**
 * One POST with requests, and what it is answered: plain JSON where nothing is said before the answer and that comes soon, otherwise
 * a stream of events, so that what stands between sees that the connection lives.
 */
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"
import type { EventStream } from "./EventStream.js"
import type { Kind } from "./messages.js"

/** How long an answer may take before a stream begins, in milliseconds. */
export const patience = 1000

/** How an exchange is made. */
export interface Options {
  readonly response: ServerResponse
  /** The requests. */
  readonly ids: ReadonlyArray<RequestId>
  /** Whether they came as an array, and are answered with one. */
  readonly isBatch: boolean
  /** Makes the stream that is answered with, where that is one. */
  readonly makeStream: () => EventStream
  /** Further headers of an answer in JSON, as they are when it is written. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined
  /** Whether a stream begins at once; `never`: the answer is JSON, however long it takes. */
  readonly streams?: "atOnce" | "never" | undefined
  /** Called once, when all requests are answered or cancelled. */
  readonly onOver?: (() => void) | undefined
}

/** Holds its answer back until it is known what form that has. */
export class Exchange {
  readonly #options: Options
  readonly #open: Set<RequestId>
  #stream: EventStream | undefined
  /** Answers that wait for others of the same POST. */
  readonly #answers: Array<{ readonly id: RequestId; readonly text: string }> = []
  #timer: NodeJS.Timeout | undefined

  constructor(options: Options) {
    this.#options = options
    this.#open = new Set(options.ids)
    if (options.streams === "atOnce") this.#begin()
    else if (options.streams !== "never") this.#timer = setTimeout(() => this.#begin(), patience)
  }

  /** Whether all requests are answered or cancelled. */
  get isOver(): boolean {
    return this.#open.size === 0
  }

  /** Says something before the answer. */
  say(message: string, kind?: Kind): void {
    if (this.isOver || this.#options.streams === "never") return
    this.#begin()
    this.#stream?.say(message, kind)
  }

  /** Answers a request with an encoded response. `status`: where the answer is JSON. */
  answer(id: RequestId, text: string, status = 200): void {
    if (!this.#open.delete(id)) return
    if (this.#stream === undefined) this.#answers.push({ id, text })
    else this.#stream.say(text, { answers: id })
    this.#settle(status)
  }

  /** A request is cancelled, and answered no more. */
  cancel(id: RequestId): void {
    if (this.#open.delete(id)) this.#settle(200)
  }

  /** Answers all requests that are open. */
  close(answerOf: (id: RequestId) => string): void {
    for (const id of this.#open) this.answer(id, answerOf(id))
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
    const text = isBatch ? `[${texts.join(",")}]` : texts[0]
    if (text === undefined || texts.length === 0) {
      // All was cancelled: a stream without an answer.
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      return void response.end()
    }
    response.writeHead(status, {
      ...headers?.(),
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text)
    })
    response.end(text)
  }
}
