/**
 * One session of a client: its conversation, the requests that are open, and the streams on which it is told things.
 */
import { type Answer, type ClientRequest, ClientRequests, JsonRpc, responseOf } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { randomBytes } from "node:crypto"
import type { ServerResponse } from "node:http"
import type { Begin, Client, ClientSettings, Conversation, Resumed } from "./Conversation.js"
import type { EventBudget } from "./EventBudget.js"
import { Exchange } from "./Exchange.js"
import * as messages from "./messages.js"
import type { Refusal } from "./Refusal.js"
import { SseWriter } from "./SseWriter.js"

/** How a session is made. */
export interface Options {
  readonly begin: Begin
  readonly budget: EventBudget
  /** Requests that may be open at once. */
  readonly maxCalls: number
  readonly onError: (error: unknown) => void
  /** Called before so many servers are started for this session; says whether there is room for them. */
  readonly onServers: (count: number) => boolean
  /** Resolves when the settings are on disk, or cannot be written. */
  readonly onSettings: (settings: ClientSettings) => Promise<void>
  /** Takes the result of `initialize`; gives the session's id. `isKept`: if the id needs a record on disk, it is valid from then on. */
  readonly onIntroduced: (
    result: Readonly<Record<string, unknown>>
  ) => { readonly id: string; readonly isKept?: Promise<void> | undefined }
  /** Where the session goes on: what the client has said before, and the lists that may have changed since. */
  readonly resumed?: (Resumed & { readonly version: string; readonly lists: ReadonlyArray<string> }) | undefined
}

/** From this version on clients understand an event without data. */
const primingVersion = "2025-11-25"
/** Streams whose last event has been said are kept so long for a client that comes back, in milliseconds. */
const keptFor = 5 * 60 * 1000
/** So many of them. */
const maxStreams = 100
/** Of so many more it is known which event was the last. */
const maxForgotten = 1000

/** Carries the messages between a client and its conversation. */
export class ClientSession implements Client {
  readonly #options: Options
  readonly #conversation: Conversation
  readonly requests = new ClientRequests()
  /** The streams of requests, by number. */
  readonly #streams = new Map<number, SseWriter>()
  /** The last event of each stream that is forgotten, by number: a client that has read it misses nothing. */
  readonly #lastEvents = new Map<number, number>()
  /** The stream of what is about no request. */
  readonly #own: SseWriter
  /** Ids of events are of this process. */
  readonly #epoch = randomBytes(6).toString("hex")
  #streamCount = 0
  /** What the answer to `initialize` gave as the session's id. */
  #id: string | undefined
  #version = primingVersion
  /** Notifications for a client that may have missed something: told on the first stream that it opens. */
  #news: ReadonlyArray<JSONRPCNotification> = []
  #isClosed = false
  /** When it was used last, by `performance.now`. */
  usedAt = performance.now()

  constructor(options: Options) {
    this.#options = options
    const { resumed } = options
    if (resumed !== undefined) {
      this.#version = resumed.version
      this.#news = resumed.lists.map((list) => ({ jsonrpc: "2.0", method: `notifications/${list}/list_changed` }))
    }
    this.#own = this.#stream("0")
    this.#conversation = options.begin({
      requests: this.requests,
      write: (message) => this.write(message),
      saveSettings: (settings) => this.saveSettings(settings),
      startsServers: (count) => options.onServers(count)
    }, resumed)
  }

  /** Whether a request or a stream is open. */
  get isBusy(): boolean {
    return this.requests.size > 0 || this.#own.hasReader || [...this.#streams.values()].some((one) => one.hasReader)
  }

  /** The version of the protocol that was agreed on. */
  get version(): string {
    return this.#version
  }

  // --- from the client

  /** The first request; calls back with the session's id where it was answered with a result. */
  initialize(request: JSONRPCRequest, response: ServerResponse, done: (id: string | undefined) => void): void {
    const exchange = new Exchange({
      response,
      ids: [request.id],
      isBatch: false,
      makeStream: () => this.#own,
      headers: () => this.#id === undefined ? {} : { "Mcp-Session-Id": this.#id },
      streams: "never",
      onOver: () => done(this.#id),
      onError: this.#options.onError
    })
    this.#request(this.requests.open(request, {
      say: (request, message) => exchange.say(request, message),
      answer: (request, answer) => this.#introduced(request, answer, exchange)
    }))
  }

  /** Takes what came in one POST; or says why not. */
  post(received: ReadonlyArray<JSONRPCMessage>, isBatch: boolean, response: ServerResponse): Refusal | undefined {
    const ids = received.filter(JsonRpc.isRequest).map(({ id }) => id)
    const refusal = this.#refusal(ids)
    if (refusal !== undefined) return refusal
    if (ids.length === 0) {
      for (const message of received) this.#receive(message)
      response.writeHead(202).end()
      return undefined
    }
    const exchange = new Exchange({
      response,
      ids,
      isBatch,
      makeStream: () => this.#newStream(ids),
      onError: this.#options.onError
    })
    // All are open before the first one is worked on: none of them ends the exchange for the others.
    const requests = new Map(
      received.filter(JsonRpc.isRequest).map((message) => [message, this.requests.open(message, exchange)])
    )
    for (const news of this.#takeNews()) exchange.say(undefined, news)
    for (const message of received) {
      const request = requests.get(message as JSONRPCRequest)
      if (request === undefined) this.#receive(message)
      else if (!request.isOver) this.#request(request)
    }
    return undefined
  }

  #refusal(ids: ReadonlyArray<RequestId>): Refusal | undefined {
    const [id] = ids
    if (this.requests.size + ids.length > this.#options.maxCalls) {
      const message = `The session has ${this.requests.size} requests that are not answered yet, the maximum`
      return { status: 429, message, id, headers: { "Retry-After": "1" }, isRead: true }
    }
    const used = ids.find((id, index) => this.requests.get(id) !== undefined || ids.indexOf(id) !== index)
    if (used === undefined) return undefined
    const message = `The id ${JSON.stringify(used)} is that of a request which is not answered yet`
    return { status: 400, code: JsonRpc.invalidRequest, message, id: used, isRead: true }
  }

  /** A GET: the stream of the session, or another one from where the client has read it. */
  listen(response: ServerResponse, lastEventId: string | undefined): void {
    const [epoch, key = "", event] = (lastEventId ?? "").split(".")
    const [number = "", ids = ""] = key.split("~")
    const after = Number(event)
    const isOurs = epoch === this.#epoch && Number.isSafeInteger(after)
    const stream = isOurs ? this.#streams.get(Number(number)) : undefined
    if (stream !== undefined) return stream.attach(response, after)
    // The official Client comes back even if it has the answer, where that is an error.
    const hasAll = isOurs && after >= (this.#lastEvents.get(Number(number)) ?? Number.POSITIVE_INFINITY)
    // A stream of requests that an earlier process had, or that is forgotten: nobody else will answer them.
    if (key.includes("~")) return this.#answerLost(hasAll ? [] : messages.decodeIds(ids), response)
    this.#own.attach(response, isOurs && number === "0" ? after : undefined)
    for (const news of this.#takeNews()) this.write(news)
  }

  #answerLost(ids: ReadonlyArray<RequestId>, response: ServerResponse): void {
    const stream = new SseWriter({ budget: this.#options.budget, client: this, headers: {}, primes: () => false })
    stream.attach(response)
    for (const id of ids) stream.say(messages.lostAnswer(id), { answers: id })
    stream.end()
  }

  #takeNews(): ReadonlyArray<JSONRPCNotification> {
    const news = this.#news
    this.#news = []
    return news
  }

  #request(request: ClientRequest): void {
    try {
      this.#conversation.request(request)
    } catch (error) {
      this.#options.onError(error)
      request.answer({
        error: { code: JsonRpc.internalError, message: "Internal error of the gateway; its log has more" }
      })
    }
  }

  #receive(message: JSONRPCMessage): void {
    if (JsonRpc.isRequest(message)) return
    if ("method" in message && message.method === "notifications/cancelled") return void this.requests.cancel(message)
    try {
      this.#conversation.receive(message)
    } catch (error) {
      this.#options.onError(error)
    }
  }

  // --- to the client

  write(message: JSONRPCNotification | JSONRPCRequest): void {
    const text = messages.encode(message)
    if (text === undefined) return this.#options.onError(messages.unwritable(message))
    this.#own.say(text, messages.kindOf(message))
  }

  saveSettings(settings: ClientSettings): Promise<void> {
    return this.#options.onSettings(settings)
  }

  /** Answers `initialize`. */
  #introduced(request: ClientRequest, answer: Answer, exchange: Exchange): void {
    const response = responseOf(request.id, answer)
    if ("error" in response) return exchange.answer(request, answer)
    const { result } = response
    const version = result["protocolVersion"]
    if (typeof version === "string") this.#version = version
    const { id, isKept } = this.#options.onIntroduced(result)
    this.#id = id
    if (isKept === undefined) exchange.answer(request, answer)
    else void isKept.then(() => exchange.answer(request, answer))
  }

  // --- its streams

  #stream(key: string): SseWriter {
    return new SseWriter({
      name: `${this.#epoch}.${key}.`,
      budget: this.#options.budget,
      client: this,
      headers: {},
      primes: () => this.#version >= primingVersion
    })
  }

  #newStream(ids: ReadonlyArray<RequestId>): SseWriter {
    const stream = this.#stream(`${++this.#streamCount}~${messages.encodeIds(ids)}`)
    this.#streams.set(this.#streamCount, stream)
    for (const [number, one] of this.#streams) {
      if (this.#streams.size <= maxStreams) break
      if (one.overAt !== undefined) this.#forget(number, one)
    }
    return stream
  }

  #forget(number: number, stream: SseWriter): void {
    this.#streams.delete(number)
    this.#lastEvents.set(number, stream.last)
    const [oldest] = this.#lastEvents.keys()
    if (this.#lastEvents.size > maxForgotten && oldest !== undefined) this.#lastEvents.delete(oldest)
    stream.close()
  }

  /** Called now and then: shows that streams live, and forgets those that nobody came back to. */
  tick(now: number): void {
    this.#own.tick()
    for (const [number, stream] of this.#streams) {
      if (stream.overAt !== undefined && now - stream.overAt > keptFor) this.#forget(number, stream)
      else stream.tick()
    }
  }

  /** Ends the conversation; what is open then is answered with an error. */
  async close(reason: string): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const interrupted = this.requests.interrupt(reason)
    if (this.requests.size > 0) await interrupted
    try {
      await this.#conversation.close(reason)
    } catch (error) {
      this.#options.onError(error)
    }
    for (const [number, stream] of this.#streams) {
      // The answer of a call that just ended is still sent to who reads.
      if (stream.isWaiting && stream.hasReader) stream.end()
      else this.#forget(number, stream)
    }
    this.#own.close()
  }
}
