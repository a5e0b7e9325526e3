/**
 * One stream of server-sent events: what is said on it, whether somebody reads it or not. A client whose connection drops reads on
 * where it was, by the ids of the events.
 */
import type { ServerResponse } from "node:http"
import type { EventBudget } from "./EventBudget.js"

/** How much of one stream is kept. */
export interface Bounds {
  readonly maxEvents: number
  readonly maxBytes: number
  /** Log messages that wait for a reader; more are dropped, and counted. */
  readonly maxLogs: number
}

export const defaults: Bounds = { maxEvents: 1000, maxBytes: 4 * 1024 * 1024, maxLogs: 200 }

/** What an event is beside its text. */
export interface Kind {
  /** Of several events with the same key that wait, one is sent. */
  readonly key?: string | undefined
  readonly isLog?: boolean | undefined
}

interface Event {
  readonly text: string
  readonly key: string | undefined
  readonly isLog: boolean
}

/** How a stream is made. */
export interface Options {
  /** Begins the ids of its events. Without it events have none, and nothing is kept once it is sent. */
  readonly name?: string | undefined
  /** Counts what all streams keep. */
  readonly budget: EventBudget
  readonly bounds?: Bounds | undefined
  /** Further headers of each response. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether a response begins with an event without data, so that the client has an id to come back with. */
  readonly primes: () => boolean
  /** Called when it stays without a reader, or has one again. */
  readonly onReader?: ((hasReader: boolean) => void) | undefined
}

const streamHeaders = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no"
}

const comment = ": keepalive\n\n"

/** Sends events to one response at a time, and keeps a bounded number for the next one. */
export class EventStream {
  readonly #options: Options
  readonly #bounds: Bounds
  #events: Array<Event> = []
  /** The number of the first event that is kept. Number 0 is the event without data. */
  #first = 1
  /** The number of the event that is sent next. */
  #next = 1
  #bytes = 0
  readonly #waitingKeys = new Set<string>()
  #waitingLogs = 0
  #dropped = 0
  #response: ServerResponse | undefined
  #isFlushing = false
  #isOver = false
  /** When its last event was said, by `performance.now`; undefined as long as there may be more. */
  overAt: number | undefined

  constructor(options: Options) {
    this.#options = options
    this.#bounds = options.bounds ?? defaults
  }

  /** Whether somebody reads. */
  get hasReader(): boolean {
    return this.#response !== undefined
  }

  /** Whether events wait for a reader. */
  get isWaiting(): boolean {
    return this.#next < this.#end
  }

  /** Log messages that were dropped because nobody read them. */
  get dropped(): number {
    return this.#dropped
  }

  /** The number of the event that was said last. */
  get last(): number {
    return this.#end - 1
  }

  get #end(): number {
    return this.#first + this.#events.length
  }

  /** Gives the stream a reader, in place of the one that it has: from the event after `after` on, or from the first that nobody was sent. */
  attach(response: ServerResponse, after?: number): void {
    this.detach()
    this.#response = response
    response.once("close", () => {
      if (this.#response === response) this.#lose()
    })
    response.on("drain", () => this.#send())
    response.on("error", () => undefined)
    response.writeHead(200, { ...streamHeaders, ...this.#options.headers })
    if (after !== undefined) this.#rewind(after + 1)
    if (this.#options.primes()) response.write(`id: ${this.#options.name}${this.#next - 1}\ndata: \n\n`)
    else response.flushHeaders()
    this.#options.onReader?.(true)
    this.#send()
  }

  /** Ends the response of the reader, who may come back. */
  detach(): void {
    const response = this.#response
    if (response === undefined) return
    this.#lose()
    response.end()
  }

  /** Says something. Events with a key wait a turn, so that a burst of them is one. */
  say(message: string, { isLog = false, key }: Kind = {}): void {
    if (this.#isOver || (key !== undefined && this.#waitingKeys.has(key))) return
    if (isLog && this.#waitingLogs >= this.#bounds.maxLogs) return void this.#dropped++
    if (key !== undefined) this.#waitingKeys.add(key)
    if (isLog) this.#waitingLogs++
    this.#events.push({ text: message, key, isLog })
    this.#count(message.length)
    if (key === undefined) return this.#send()
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#send()
    })
  }

  /** Nothing more is said; the response ends when all is sent. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.overAt = performance.now()
    this.#send()
  }

  /** Shows that the connection lives. */
  beat(): void {
    if (this.#response?.writableNeedDrain === false) this.#response.write(comment)
  }

  /** Keeps nothing any more, and ends the response. */
  close(): void {
    this.#isOver = true
    this.detach()
    this.forget(true)
  }

  forget(all: boolean): void {
    while (this.#events.length > 0 && (all || this.#first < this.#next)) this.#shift()
  }

  #send(): void {
    while (this.#response?.writableNeedDrain === false && this.#next < this.#end) {
      const event = this.#events[this.#next - this.#first]!
      const id = this.#options.name === undefined ? "" : `id: ${this.#options.name}${this.#next}\n`
      this.#passed(event)
      this.#next++
      this.#response.write(`event: message\n${id}data: ${event.text}\n\n`)
    }
    if (this.#isOver && this.#next === this.#end) this.detach()
    this.#trim()
  }

  /** An event waits no longer. */
  #passed({ isLog, key }: Event): void {
    if (key !== undefined) this.#waitingKeys.delete(key)
    if (isLog) this.#waitingLogs--
  }

  #rewind(number: number): void {
    const to = Math.min(Math.max(number, this.#first), this.#next)
    // What goes out again waits again.
    for (let n = to; n < this.#next; n++) {
      const { isLog, key } = this.#events[n - this.#first]!
      if (key !== undefined) this.#waitingKeys.add(key)
      if (isLog) this.#waitingLogs++
    }
    this.#next = to
  }

  #trim(): void {
    if (this.#options.name === undefined) this.forget(false)
    const { maxBytes, maxEvents } = this.#bounds
    while (this.#events.length > maxEvents || (this.#bytes > maxBytes && this.#events.length > 1)) {
      // Who reads so slowly that more waits than is kept, is sent away, and may come back.
      if (this.#first >= this.#next && this.#response !== undefined) {
        const response = this.#response
        this.#lose()
        response.destroy()
      }
      this.#shift()
    }
  }

  #shift(): void {
    const event = this.#events.shift()
    if (event === undefined) return
    if (this.#first >= this.#next) {
      this.#passed(event)
      this.#next = this.#first + 1
    }
    this.#first++
    this.#count(-event.text.length)
    if (this.#events.length === 0) this.#options.budget.remove(this)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#options.budget.add(this, bytes)
  }

  #lose(): void {
    this.#response = undefined
    if (this.#options.name === undefined) {
      // Nobody can come back to it.
      this.#isOver = true
      this.forget(true)
    }
    this.#options.onReader?.(false)
  }
}
