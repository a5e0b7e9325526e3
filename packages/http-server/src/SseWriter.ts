/**
 * Events are kept whether a client reads them or not: one whose connection drops reads on from the last event whose id it has.
 */
import { Bytes, mebibytes } from "@mcp-lifeline/core/text"
import { Turns } from "@mcp-lifeline/protocol"
import type { ServerResponse } from "node:http"
import type { Discardable, EventBudget } from "./EventBudget.js"
import * as messages from "./messages.js"

export interface Bounds {
  readonly maxEvents: number
  readonly maxBytes: Bytes
  /** Waiting log messages. More are dropped, and counted. */
  readonly maxLogs: number
}

export const defaults: Bounds = { maxEvents: 1000, maxBytes: mebibytes(4), maxLogs: 200 }

interface Event extends messages.EventKind {
  readonly number: number
  /** Undefined once the text of an answer is discarded. */
  text: string | undefined
}

export interface Options {
  /** The prefix of event ids. Default: no ids, and nothing is kept that was sent. */
  readonly name?: string | undefined
  readonly budget: EventBudget
  /** Streams with the same value share one part of the budget. Default: each has its own. */
  readonly client?: unknown
  readonly bounds?: Bounds | undefined
  /** Whether a response begins with an event without data, whose id lets the client resume. */
  readonly sendsPrimingEvent: () => boolean
}

const streamHeaders = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no"
}

const comment = ": keepalive\n\n"

/** Never drops an answer silently. */
export class SseWriter {
  readonly #options: Options
  readonly #bounds: Bounds
  /** First the sent events that are kept, then those that wait. */
  readonly #events: Array<Event> = []
  #sent = 0
  /** Number 0 is the event without data. */
  #nextNumber = 1
  #bytes = 0
  readonly #waitingKeys = new Set<string>()
  #waitingLogs = 0
  #dropped = 0
  #response: ServerResponse | undefined
  #isFlushing = false
  readonly #turns = new Turns.Turns()
  #isEnded = false
  /** By `performance.now`; undefined while the stream may get more events. */
  endedAt: number | undefined

  constructor(options: Options) {
    this.#options = options
    this.#bounds = options.bounds ?? defaults
  }

  get client(): unknown {
    return this.#options.client
  }

  get hasReader(): boolean {
    return this.#response !== undefined
  }

  get isWaiting(): boolean {
    return this.#sent < this.#events.length
  }

  get dropped(): number {
    return this.#dropped
  }

  get lastEvent(): number {
    return this.#nextNumber - 1
  }

  isOverAfter(event: number): boolean {
    return this.#isEnded && event >= this.lastEvent
  }

  /** Goes on after event `after`. Default: from the first event that was not sent. */
  attach(response: ServerResponse, after?: number): void {
    this.detach()
    this.#response = response
    response.once("close", () => {
      if (this.#response === response) this.#onReaderGone()
    })
    response.on("drain", () => this.#flush())
    response.on("error", () => undefined)
    response.writeHead(200, streamHeaders)
    if (after !== undefined) this.#rewind(after + 1)
    const next = this.#events[this.#sent]?.number ?? this.#nextNumber
    if (this.#options.sendsPrimingEvent()) response.write(`id: ${this.#options.name}${next - 1}\ndata: \n\n`)
    else response.flushHeaders()
    this.#flush()
  }

  detach(): void {
    const response = this.#response
    if (response === undefined) return
    this.#onReaderGone()
    response.end()
  }

  /** Lets go of the response without ending it, so that somebody else continues the stream. Returns whether it was the reader. */
  release(response: ServerResponse): boolean {
    if (this.#response !== response || response.destroyed) return false
    while (this.isWaiting) this.#writeNext(response)
    this.#onReaderGone()
    this.close()
    return true
  }

  /** An event with a key waits for the next turn of the event loop, so that a burst becomes one event. */
  send(text: string, kind: messages.EventKind = {}): void {
    const { isLog = false, key } = kind
    if (this.#isEnded || (key !== undefined && this.#waitingKeys.has(key))) return
    if (isLog && this.#waitingLogs >= this.#bounds.maxLogs) return void this.#dropped++
    if (key !== undefined) this.#waitingKeys.add(key)
    if (isLog) this.#waitingLogs++
    this.#events.push({ ...kind, number: this.#nextNumber++, text })
    this.#bytes += text.length
    if (key === undefined) return this.#turns.run(text.length, () => this.#flush())
    this.#updateBudget()
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.endedAt = performance.now()
    this.#turns.run(0, () => this.#flush())
  }

  /** Shows proxies and the client that the connection is alive. */
  tick(): void {
    if (this.#response?.writableNeedDrain === false) this.#response.write(comment)
  }

  /** In place of answers that were not sent, the reader gets errors. */
  close(): void {
    this.#isEnded = true
    this.#discardWhere(({ answers }) => answers === undefined)
    while (this.#response !== undefined && this.isWaiting) {
      this.#discardAnswer(this.#events[this.#sent]!)
      this.#writeNext(this.#response)
    }
    this.detach()
    this.#discardWhere(() => true)
    this.#updateBudget()
  }

  discard(what: Discardable): void {
    if (what === "answers") this.#events.forEach((event) => this.#discardAnswer(event))
    else if (what === "sent") this.#discardSent()
    else if (this.#events.findLastIndex(({ answers }) => answers === undefined) >= this.#sent) {
      this.#disconnectReader()
      this.#discardWhere(({ answers }) => answers === undefined)
    }
    this.#updateBudget()
  }

  /** Keeps which answers were sent: a client that did not receive one comes back, and gets an error. */
  #discardSent(): void {
    const sent = this.#sent
    if (sent === 0) return
    if (this.#options.name === undefined) return this.#discardWhere((_, index) => index < sent)
    for (const event of this.#events.slice(0, sent)) this.#discardAnswer(event)
    this.#discardWhere(({ answers }, index) => index < sent && answers === undefined)
  }

  #flush(): void {
    while (this.#response?.writableNeedDrain === false && this.isWaiting) this.#writeNext(this.#response)
    if (this.#isEnded && !this.isWaiting) this.detach()
    this.#enforceBounds()
    this.#updateBudget()
  }

  #writeNext(response: ServerResponse): void {
    const event = this.#events[this.#sent++]!
    this.#stopWaiting(event)
    const { name } = this.#options
    const id = name === undefined ? "" : `id: ${name}${event.number}\n`
    response.write(Buffer.from(`event: message\n${id}data: ${event.text ?? messages.lostAnswer(event.answers!)}\n\n`))
  }

  #stopWaiting({ isLog, key }: Event): void {
    if (key !== undefined) this.#waitingKeys.delete(key)
    if (isLog === true) this.#waitingLogs--
  }

  #rewind(number: number): void {
    while (this.#sent > 0 && this.#events[this.#sent - 1]!.number >= number) {
      const { isLog, key } = this.#events[--this.#sent]!
      if (key !== undefined) this.#waitingKeys.add(key)
      if (isLog === true) this.#waitingLogs++
    }
  }

  /** Discards the oldest event first, and answers last. The newest event stays. */
  #enforceBounds(): void {
    if (this.#options.name === undefined) this.#discardSent()
    const { maxBytes, maxEvents } = this.#bounds
    while (this.#events.length > maxEvents || (this.#bytes > maxBytes && this.#events.length > 1)) {
      const oldest = this.#events.findIndex(({ answers }) => answers === undefined)
      if (oldest >= 0 && oldest < this.#events.length - 1) {
        // The client reads too slowly: disconnect it, so that it does not miss an event unnoticed.
        if (oldest >= this.#sent) this.#disconnectReader()
        const wasSent = oldest < this.#sent
        for (const event of this.#events.splice(oldest, 1)) this.#uncount(event, wasSent)
      } else {
        const answer = this.#events.slice(0, -1).find(({ text }) => text !== undefined)
        if (answer === undefined) return
        this.#discardAnswer(answer)
      }
    }
  }

  #disconnectReader(): void {
    const response = this.#response
    if (response === undefined) return
    this.#onReaderGone()
    response.destroy()
  }

  #discardAnswer(event: Event): void {
    if (event.answers === undefined || event.text === undefined) return
    this.#bytes -= event.text.length
    event.text = undefined
  }

  #discardWhere(matches: (event: Event, index: number) => boolean): void {
    const sent = this.#sent
    this.#events.splice(0).forEach((event, index) => {
      if (matches(event, index)) this.#uncount(event, index < sent)
      else this.#events.push(event)
    })
  }

  #uncount(event: Event, wasSent: boolean): void {
    this.#bytes -= event.text?.length ?? 0
    if (wasSent) this.#sent--
    else this.#stopWaiting(event)
  }

  #updateBudget(): void {
    this.#options.budget.set(this, Bytes(this.#bytes))
  }

  #onReaderGone(): void {
    this.#response = undefined
    if (this.#options.name !== undefined) return
    // Without event ids, a client cannot resume.
    this.#isEnded = true
    this.#discardWhere(() => true)
    this.#updateBudget()
  }
}
