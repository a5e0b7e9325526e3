/**
 * One stream of server-sent events: what is said on it, whether somebody reads it or not. A client whose connection drops reads on
 * where it was, by the ids of the events.
 */
import type { ServerResponse } from "node:http"
import type { EventBudget, Expendable } from "./EventBudget.js"
import * as messages from "./messages.js"

/** How much of one stream is kept. */
export interface Bounds {
  readonly maxEvents: number
  readonly maxBytes: number
  /** Log messages that wait for a reader; more are dropped, and counted. */
  readonly maxLogs: number
}

export const defaults: Bounds = { maxEvents: 1000, maxBytes: 4 * 1024 * 1024, maxLogs: 200 }

interface Event extends messages.EventKind {
  readonly number: number
  /** Undefined once an answer is lost. */
  text: string | undefined
}

/** How a stream is made. */
export interface Options {
  /** Begins the ids of its events. Without it events have none, and nothing is kept once it is sent. */
  readonly name?: string | undefined
  /** Counts what all streams keep. */
  readonly budget: EventBudget
  /** Whose stream it is: all streams of one client have one share of the budget. Default: each stream has a share. */
  readonly client?: unknown
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

/** Sends events to one response at a time, and keeps a bounded number for the next one. No answer is ever dropped in silence. */
export class SseWriter {
  readonly #options: Options
  readonly #bounds: Bounds
  /** First those that were sent and are kept, then those that wait. */
  readonly #events: Array<Event> = []
  /** How many of them were sent. */
  #sent = 0
  /** The number of the event that is said next. Number 0 is the event without data. */
  #end = 1
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

  get client(): unknown {
    return this.#options.client
  }

  /** Whether somebody reads. */
  get hasReader(): boolean {
    return this.#response !== undefined
  }

  /** Whether events wait for a reader. */
  get isWaiting(): boolean {
    return this.#sent < this.#events.length
  }

  /** Log messages that were dropped because nobody read them. */
  get dropped(): number {
    return this.#dropped
  }

  /** The number of the event that was said last. */
  get last(): number {
    return this.#end - 1
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
    const next = this.#events[this.#sent]?.number ?? this.#end
    if (this.#options.primes()) response.write(`id: ${this.#options.name}${next - 1}\ndata: \n\n`)
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
  say(text: string, kind: messages.EventKind = {}): void {
    const { isLog = false, key } = kind
    if (this.#isOver || (key !== undefined && this.#waitingKeys.has(key))) return
    if (isLog && this.#waitingLogs >= this.#bounds.maxLogs) return void this.#dropped++
    if (key !== undefined) this.#waitingKeys.add(key)
    if (isLog) this.#waitingLogs++
    this.#events.push({ ...kind, number: this.#end++, text })
    this.#bytes += text.length
    if (key === undefined) return this.#send()
    this.#count()
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
  tick(): void {
    if (this.#response?.writableNeedDrain === false) this.#response.write(comment)
  }

  /** Keeps nothing any more, and ends the response. A reader who has not been sent an answer is told that it is lost. */
  close(): void {
    this.#isOver = true
    this.#drop(({ answers }) => answers === undefined)
    while (this.#response !== undefined && this.isWaiting) {
      this.#lost(this.#events[this.#sent]!)
      this.#write(this.#response)
    }
    this.detach()
    this.#drop(() => true)
    this.#count()
  }

  forget(what: Expendable): void {
    if (what === "answers") this.#events.forEach((event) => this.#lost(event))
    else if (what === "sent") this.#forgetSent()
    else if (this.#events.findLastIndex(({ answers }) => answers === undefined) >= this.#sent) {
      this.#sendAway()
      this.#drop(({ answers }) => answers === undefined)
    }
    this.#count()
  }

  /** Lets go of what was sent; of an answer, it stays known that it is lost, for a client that comes back because it has not arrived. */
  #forgetSent(): void {
    const sent = this.#sent
    if (sent === 0) return
    if (this.#options.name === undefined) return this.#drop((_, index) => index < sent)
    for (const event of this.#events.slice(0, sent)) this.#lost(event)
    this.#drop(({ answers }, index) => index < sent && answers === undefined)
  }

  #send(): void {
    while (this.#response?.writableNeedDrain === false && this.isWaiting) this.#write(this.#response)
    if (this.#isOver && !this.isWaiting) this.detach()
    this.#trim()
    this.#count()
  }

  /** Sends the next event. */
  #write(response: ServerResponse): void {
    const event = this.#events[this.#sent++]!
    this.#passed(event)
    const { name } = this.#options
    const id = name === undefined ? "" : `id: ${name}${event.number}\n`
    response.write(`event: message\n${id}data: ${event.text ?? messages.lostAnswer(event.answers!)}\n\n`)
  }

  /** An event waits no longer. */
  #passed({ isLog, key }: Event): void {
    if (key !== undefined) this.#waitingKeys.delete(key)
    if (isLog === true) this.#waitingLogs--
  }

  /** Goes back to the first kept event with this number or a later one. */
  #rewind(number: number): void {
    // What goes out again waits again.
    while (this.#sent > 0 && this.#events[this.#sent - 1]!.number >= number) {
      const { isLog, key } = this.#events[--this.#sent]!
      if (key !== undefined) this.#waitingKeys.add(key)
      if (isLog === true) this.#waitingLogs++
    }
  }

  /** Keeps to the bounds of one stream: the oldest goes first, answers last. The newest event stays, however long it is. */
  #trim(): void {
    if (this.#options.name === undefined) this.#forgetSent()
    const { maxBytes, maxEvents } = this.#bounds
    while (this.#events.length > maxEvents || (this.#bytes > maxBytes && this.#events.length > 1)) {
      const oldest = this.#events.findIndex(({ answers }) => answers === undefined)
      if (oldest >= 0 && oldest < this.#events.length - 1) {
        // Who reads so slowly that more waits than is kept, is sent away, and may come back.
        if (oldest >= this.#sent) this.#sendAway()
        const wasSent = oldest < this.#sent
        for (const event of this.#events.splice(oldest, 1)) this.#gone(event, wasSent)
      } else {
        const answer = this.#events.slice(0, -1).find(({ text }) => text !== undefined)
        if (answer === undefined) return
        this.#lost(answer)
      }
    }
  }

  #sendAway(): void {
    const response = this.#response
    if (response === undefined) return
    this.#lose()
    response.destroy()
  }

  /** The answer to a request cannot be kept. */
  #lost(event: Event): void {
    if (event.answers === undefined || event.text === undefined) return
    this.#bytes -= event.text.length
    event.text = undefined
  }

  #drop(isDropped: (event: Event, index: number) => boolean): void {
    const sent = this.#sent
    this.#events.splice(0).forEach((event, index) => {
      if (isDropped(event, index)) this.#gone(event, index < sent)
      else this.#events.push(event)
    })
  }

  /** An event is kept no longer. */
  #gone(event: Event, wasSent: boolean): void {
    this.#bytes -= event.text?.length ?? 0
    if (wasSent) this.#sent--
    else this.#passed(event)
  }

  #count(): void {
    this.#options.budget.set(this, this.#bytes)
  }

  #lose(): void {
    this.#response = undefined
    if (this.#options.name === undefined) {
      // Nobody can come back to it.
      this.#isOver = true
      this.#drop(() => true)
      this.#count()
    }
    this.#options.onReader?.(false)
  }
}
