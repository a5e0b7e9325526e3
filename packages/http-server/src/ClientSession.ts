import { Bytes } from "@mcp-lifeline/core/text"
import type { Answer, ClientRequest, Holding, Quota } from "@mcp-lifeline/protocol"
import { ClientRequests, JsonRpc, responseOf } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { randomBytes } from "node:crypto"
import type { ServerResponse } from "node:http"
import { type Caller, mayListen, ownerOf } from "./Caller.js"
import type { Begin, Conversation, Resumed, SettingChange } from "./Conversation.js"
import type { EventBudget } from "./EventBudget.js"
import { type Arrived, Exchange } from "./Exchange.js"
import * as messages from "./messages.js"
import * as OpenLimits from "./openLimits.js"
import { internalError, type Refusal, refuse, tooMany } from "./Refusal.js"
import { SseWriter } from "./SseWriter.js"

export interface Options {
  readonly begin: Begin
  readonly caller: Caller
  readonly budget: EventBudget
  readonly maxCalls: number
  readonly open: Quota
  readonly onError: (error: unknown) => void
  readonly startsServers: (count: number) => boolean
  readonly onSetting: (change: SettingChange) => Promise<void>
  readonly subscriptions?: Holding | undefined
  /** Returns the session's id. `saved` resolves when the record that the id needs is on disk. */
  readonly onInitialized: (
    result: Readonly<Record<string, unknown>>
  ) => { readonly id: string; readonly saved?: Promise<void> | undefined }
  /** Set if the session resumes. `lists`: those that may have changed since. */
  readonly resumed?: (Resumed & { readonly version: string; readonly lists: ReadonlyArray<string> }) | undefined
}

/** From this version on, clients understand an event without data. */
const primingVersion = "2025-11-25"
const streamKeptFor = 5 * 60 * 1000
const maxStreams = 100
const maxForgottenStreams = 1000

/**
 * The official Client v1 asks every second for more of each stream that ended without a result, until it is told 405 (specification 2025-11-25, "Listening for
 * Messages from the Server").
 */
const nothingFollows: Refusal = {
  status: 405,
  message: "Nothing follows on this stream",
  headers: { Allow: "POST, DELETE" },
  isRead: true
}

export class ClientSession {
  readonly #options: Options
  readonly #conversation: Conversation
  readonly requests = new ClientRequests()
  /** Who shares limits: its caller, or else the session itself. */
  readonly #sharer: unknown
  readonly #streams = new Map<number, SseWriter>()
  /** Of each forgotten stream: a client that has read it misses nothing. */
  readonly #lastEvents = new Map<number, number>()
  readonly #sessionStream: SseWriter
  /** Marks event ids as those of this session in this process. */
  readonly #epoch = randomBytes(6).toString("hex")
  #streamCount = 0
  /** Undefined until `initialize` has a result. */
  #id: string | undefined
  #version = primingVersion
  /** A resumed client may have missed them. */
  #pendingListChanges: Array<JSONRPCNotification> = []
  #isClosed = false
  caller: Caller
  /** By `performance.now`. */
  usedAt = performance.now()

  constructor(options: Options) {
    this.#options = options
    this.caller = options.caller
    this.#sharer = ownerOf(options.caller) || this
    const { resumed } = options
    if (resumed !== undefined) {
      this.#version = resumed.version
      this.#pendingListChanges = resumed.lists.map((list) => ({
        jsonrpc: "2.0",
        method: `notifications/${list}/list_changed`
      }))
    }
    this.#sessionStream = this.#makeStream("0")
    this.#conversation = options.begin({
      caller: () => this.caller,
      requests: this.requests,
      write: (message) => this.#write(message),
      saveSetting: options.onSetting,
      subscriptions: options.subscriptions,
      startsServers: (count) => !this.#isClosed && options.startsServers(count)
    }, resumed)
  }

  get isBusy(): boolean {
    return this.requests.size > 0 || this.#sessionStream.hasReader ||
      [...this.#streams.values()].some((stream) => stream.hasReader)
  }

  get version(): string {
    return this.#version
  }

  /** Calls `done` with the session's id, or with `undefined` if `initialize` failed. */
  initialize(request: JSONRPCRequest, response: ServerResponse, done: (id: string | undefined) => void): void {
    const exchange = new Exchange({
      response,
      ids: [request.id],
      isBatch: false,
      makeStream: () => this.#sessionStream,
      sessionId: () => this.#id,
      streams: "never",
      onOver: () => done(this.#id),
      onError: this.#options.onError
    })
    this.#request(this.requests.open(request, {
      say: (request, message) => exchange.say(request, message),
      answer: (request, answer) => this.#answerInitialize(request, answer, exchange)
    }))
  }

  /** Returns why a POST is refused. */
  post(
    received: ReadonlyArray<JSONRPCMessage>,
    isBatch: boolean,
    response: ServerResponse,
    { bytes = Bytes(0), isRepeated = false, unsent }: Arrived = {}
  ): Refusal | undefined {
    const asked = received.filter(JsonRpc.isRequest)
    const ids = asked.map(({ id }) => id)
    const refusal = this.#checkRequests(ids)
    if (refusal !== undefined) return refusal
    if (ids.length === 0) {
      for (const message of received) this.#receive(message)
      response.writeHead(202).end()
      return undefined
    }
    const amount = OpenLimits.amountOf(ids.length, bytes)
    const crowded = OpenLimits.take(this.#options.open, this.#sharer, amount, ids[0])
    if (crowded !== undefined) return crowded
    const exchange = new Exchange({
      response,
      ids,
      isBatch,
      makeStream: () => this.#newStream(ids),
      unsent: unsent && ((response) => unsent(response, messages.bodyOf(asked, isBatch))),
      onOver: () => this.#options.open.release(this.#sharer, amount),
      onError: this.#options.onError
    })
    // All are opened before the first is handled: an immediate answer must not end the exchange of the others.
    const requests = new Map(asked.map((message) => [message, this.requests.open(message, exchange)]))
    for (const request of requests.values()) request.isRepeated = isRepeated
    this.#whenLeft(response, requests.values())
    for (const notification of this.#pendingListChanges.splice(0)) exchange.say(undefined, notification)
    for (const message of received) {
      const request = requests.get(message as JSONRPCRequest)
      if (request === undefined) this.#receive(message)
      else if (!request.isOver) this.#request(request)
    }
    return undefined
  }

  #checkRequests(ids: ReadonlyArray<RequestId>): Refusal | undefined {
    const [id] = ids
    if (this.requests.size + ids.length > this.#options.maxCalls) {
      return tooMany(id, `The session has ${this.requests.size} requests that are not answered yet, the maximum`)
    }
    const used = ids.find((id, index) => this.requests.get(id) !== undefined || ids.indexOf(id) !== index)
    if (used === undefined) return undefined
    const message = `The id ${JSON.stringify(used)} is that of a request which is not answered yet`
    return { status: 400, code: JsonRpc.invalidRequest, message, id: used, isRead: true }
  }

  /** Goes on after the event `lastEventId`. Default: the session's own stream. */
  listen(response: ServerResponse, lastEventId: string | undefined): void {
    const [epoch, key = "", event] = (lastEventId ?? "").split(".")
    const [number = "", ids = ""] = key.split("~")
    const after = Number(event)
    const isOurs = epoch === this.#epoch && Number.isSafeInteger(after)
    const stream = isOurs ? this.#streams.get(Number(number)) : undefined
    if (stream?.isOverAfter(after) === false) {
      this.#whenLeft(response, messages.decodeIds(ids).flatMap((id) => this.requests.get(id) ?? []))
      return stream.attach(response, after)
    }
    if (!key.includes("~")) {
      this.#sessionStream.attach(response, isOurs && number === "0" ? after : undefined)
      for (const notification of this.#pendingListChanges.splice(0)) this.#write(notification)
      return
    }
    // The stream is over, forgotten, or of an earlier process: nothing else will answer its requests.
    const hasAll = stream !== undefined
      || (isOurs && after >= (this.#lastEvents.get(Number(number)) ?? Number.POSITIVE_INFINITY))
    const lost = hasAll ? [] : messages.decodeIds(ids)
    if (lost.length === 0) refuse(response, nothingFollows)
    else this.#answerLost(lost, response)
  }

  /** Its event ids name a stream of which nothing follows, for clients that come back after an error. */
  #answerLost(ids: ReadonlyArray<RequestId>, response: ServerResponse): void {
    const stream = this.#makeStream("over~")
    stream.attach(response)
    for (const id of ids) stream.send(messages.lostAnswer(id), { answers: id })
    stream.end()
    stream.close()
  }

  #whenLeft(response: ServerResponse, requests: Iterable<ClientRequest>): void {
    response.on("close", () => {
      for (const request of requests) request.clientLeft()
    })
  }

  #request(request: ClientRequest): void {
    try {
      this.#conversation.request(request)
    } catch (error) {
      this.#options.onError(error)
      request.refuse(JsonRpc.internalError, internalError)
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

  #write(message: JSONRPCNotification | JSONRPCRequest): void {
    const text = messages.encode(message)
    if (text === undefined) return this.#options.onError(messages.unwritable(message))
    this.#sessionStream.send(text, messages.kindOf(message))
  }

  #answerInitialize(request: ClientRequest, answer: Answer, exchange: Exchange): void {
    const response = responseOf(request.id, answer)
    if ("error" in response) return exchange.answer(request, answer)
    const { result } = response
    const version = result["protocolVersion"]
    if (typeof version === "string") this.#version = version
    const { id, saved } = this.#options.onInitialized(result)
    this.#id = id
    if (saved === undefined) exchange.answer(request, answer)
    else void saved.then(() => exchange.answer(request, answer))
  }

  #makeStream(key: string): SseWriter {
    return new SseWriter({
      name: `${this.#epoch}.${key}.`,
      budget: this.#options.budget,
      client: this.#sharer,
      sendsPrimingEvent: () => this.#version >= primingVersion
    })
  }

  #newStream(ids: ReadonlyArray<RequestId>): SseWriter {
    const stream = this.#makeStream(`${++this.#streamCount}~${messages.encodeIds(ids)}`)
    this.#streams.set(this.#streamCount, stream)
    for (const [number, one] of this.#streams) {
      if (this.#streams.size <= maxStreams) break
      if (one.endedAt !== undefined) this.#forgetStream(number, one)
    }
    return stream
  }

  #forgetStream(number: number, stream: SseWriter): void {
    this.#streams.delete(number)
    this.#lastEvents.set(number, stream.lastEvent)
    const [oldest] = this.#lastEvents.keys()
    if (this.#lastEvents.size > maxForgottenStreams && oldest !== undefined) this.#lastEvents.delete(oldest)
    stream.close()
  }

  /** Ends the session's own stream if the client's credentials have expired. */
  tick(now: number): void {
    if (mayListen(this.caller)) this.#sessionStream.tick()
    else this.#sessionStream.detach()
    for (const [number, stream] of this.#streams) {
      if (stream.endedAt !== undefined && now - stream.endedAt > streamKeptFor) this.#forgetStream(number, stream)
      else stream.tick()
    }
  }

  /** Open requests get an error. `goesOn`: whether the session can go on elsewhere, with what was not sent. */
  async close(reason: string, goesOn = false): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const request of this.requests) request.mayMove = goesOn
    const interrupted = this.requests.interrupt(reason)
    if (this.requests.size > 0) await interrupted
    try {
      await this.#conversation.close(reason)
    } catch (error) {
      this.#options.onError(error)
    }
    this.#options.subscriptions?.close()
    for (const [number, stream] of this.#streams) {
      // A connected reader still gets the answer of a call that has just ended.
      if (stream.isWaiting && stream.hasReader) stream.end()
      else this.#forgetStream(number, stream)
    }
    this.#sessionStream.close()
  }
}
