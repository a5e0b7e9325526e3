/**
 * Requests of the protocol without sessions (2026-07-28) over HTTP. Where the server asks the client something in place of the result,
 * the call waits for the request that comes with the answer.
 */
import { Era, JsonRpc, JsonRpcError, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Answer, Answering } from "../eras/Answering.js"
import { parkedUnder } from "../eras/StatelessHost.js"
import type { EventBudget } from "./EventBudget.js"
import { EventStream } from "./EventStream.js"
import { Exchange } from "./Exchange.js"
import * as Headers from "./Headers.js"
import * as messages from "./messages.js"
import type { Refusal } from "./Refusal.js"
import { Shares } from "./Shares.js"

/** How such requests are served. */
export interface Options {
  readonly answer: Answer
  readonly budget: EventBudget
  /** Requests that a client alone may have open at once, and streams of changes; several clients share twice as many. */
  readonly maxCalls: number
}

/** Conversations that wait for a client's answer, and how long, in milliseconds. */
const maxParked = 1000
const parkedFor = 10 * 60 * 1000

/** The statuses of errors that say what is wrong with the request itself. */
const statuses: Readonly<Record<number, number>> = {
  [JsonRpc.invalidRequest]: 400,
  [JsonRpc.invalidParams]: 400,
  [JsonRpc.methodNotFound]: 404,
  [Era.missingCapability]: 400,
  [Era.unsupportedVersion]: 400
}

/** Statuses of errors that came later: those of the server's own stand in an answer that is as good as any. */
const laterStatuses: Readonly<Record<number, number>> = {
  [JsonRpc.methodNotFound]: 404,
  [Era.missingCapability]: 400
}

/** What a client says that it is, not too long. */
const nameOf = ({ params }: JSONRPCRequest): string => {
  const info = Meta.of(params)[Meta.keys.clientInfo]
  const said = Predicate.isRecord(info) ? [info["name"], info["version"]] : []
  return said.map((text) => Predicate.isString(text) ? text.slice(0, 100) : "").join(" ")
}

/** One request that is being served, and its successors that bring answers. */
class Call {
  readonly #answering: Answering
  readonly #onParked: (state: string) => void
  #exchange: Exchange | undefined
  #isTaking = false
  #isClosed = false

  constructor({ answer }: Options, onParked: (state: string) => void) {
    this.#onParked = onParked
    this.#answering = answer((message) => this.#write(message))
  }

  /** Serves a request on a POST. */
  take(request: JSONRPCRequest, exchange: Exchange, response: ServerResponse): void {
    this.#exchange = exchange
    response.once("close", () => {
      // A client that goes away cancels its request.
      if (this.#exchange === exchange && !exchange.isOver) this.close("the client has gone")
    })
    this.#isTaking = true
    this.#answering.receive(request)
    this.#isTaking = false
  }

  #write(message: JSONRPCMessage): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    if ("method" in message) {
      const text = messages.encode(message)
      return text === undefined ? undefined : exchange.say(text, messages.kindOf(message))
    }
    const { id } = message
    if (id === undefined) return
    const status = "error" in message
      ? (this.#isTaking ? statuses : laterStatuses)[message.error.code] ?? 200
      : 200
    const state = parkedUnder(message)
    if (state !== undefined) this.#onParked(state)
    exchange.answer(id, messages.encodeResponse(message, id), status)
    if (state === undefined) this.close("the request was answered")
  }

  /** Ends the call; what is open is answered with an error, unless it is a stream of changes. */
  close(reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#answering.close(reason)
    const error = JsonRpcError.interrupted(reason, "unknown")
    this.#exchange?.close((id) => JSON.stringify({ jsonrpc: "2.0", id, error }))
  }
}

/** Serves requests, and knows the calls that wait for their clients. */
export class StatelessRequests {
  readonly #options: Options
  readonly #open = new Map<Call, Exchange>()
  readonly #calls: Shares
  /** Streams of changes stay open, and would take what there is for calls. */
  readonly #listeners: Shares
  readonly #streams = new Map<Call, EventStream>()
  /** By the state that the client brings back; with the owner of it, and when that began. */
  readonly #parked = new Map<string, { readonly call: Call; readonly owner: string; readonly at: number }>()

  constructor(options: Options) {
    this.#options = options
    this.#calls = new Shares(2 * options.maxCalls)
    this.#listeners = new Shares(2 * options.maxCalls)
  }

  /** Takes what came in one POST; or says why not. `owner`: a hash of the client's token. */
  post(
    message: JSONRPCMessage,
    { headers, socket }: Pick<IncomingMessage, "headers" | "socket">,
    owner: string,
    response: ServerResponse
  ): Refusal | undefined {
    if (!JsonRpc.isRequest(message)) {
      // Cancelling is closing; there is nothing else to be notified of.
      response.writeHead(202).end()
      return undefined
    }
    const refusal = Headers.checkStateless(headers, message, Meta.of(message.params)[Meta.keys.protocolVersion])
    if (refusal !== undefined) return refusal
    const client = `${owner} ${socket.remoteAddress} ${nameOf(message)}`
    const isListening = message.method === "subscriptions/listen"
    const open = isListening ? this.#listeners : this.#calls
    if (!open.take(client)) {
      const what = isListening ? "streams of changes" : "requests that are not answered yet"
      const text = `This client has ${
        open.of(client)
      } ${what}, the maximum while all clients without sessions have ${open.total}`
      return { status: 429, message: text, id: message.id, headers: { "Retry-After": "1" }, isRead: true }
    }
    const call = this.#waiting(message, owner) ?? this.#begin(owner)
    const exchange: Exchange = new Exchange({
      response,
      ids: [message.id],
      isBatch: false,
      makeStream: () => this.#stream(call, client),
      onOver: () => {
        open.give(client)
        this.#open.delete(call)
        this.#streams.delete(call)
      }
    })
    this.#open.set(call, exchange)
    call.take(message, exchange, response)
    return undefined
  }

  #begin(owner: string): Call {
    const call: Call = new Call(this.#options, (state) => this.#park(state, call, owner))
    return call
  }

  #waiting({ params }: JSONRPCRequest, owner: string): Call | undefined {
    const state = params?.["requestState"]
    const parked = Predicate.isString(state) ? this.#parked.get(state) : undefined
    if (parked?.owner !== owner) return undefined
    this.#parked.delete(String(state))
    return parked.call
  }

  #park(state: string, call: Call, owner: string): void {
    this.#parked.set(state, { call, owner, at: performance.now() })
    const [oldest] = this.#parked.keys()
    if (this.#parked.size > maxParked && oldest !== undefined) this.#unpark(oldest)
  }

  #unpark(state: string): void {
    this.#parked.get(state)?.call.close("the client did not come back")
    this.#parked.delete(state)
  }

  #stream(call: Call, owner: string): EventStream {
    const stream = new EventStream({ budget: this.#options.budget, owner, headers: {}, primes: () => false })
    this.#streams.set(call, stream)
    return stream
  }

  /** Called now and then: shows that streams live, and ends calls whose clients did not come back. */
  beat(): void {
    for (const stream of this.#streams.values()) stream.beat()
    const now = performance.now()
    for (const [state, { at }] of this.#parked) if (now - at > parkedFor) this.#unpark(state)
  }

  /** Ends all. */
  close(): void {
    for (const { call } of this.#parked.values()) call.close("the gateway is shutting down")
    this.#parked.clear()
    for (const call of [...this.#open.keys()]) call.close("the gateway is shutting down")
  }
}
