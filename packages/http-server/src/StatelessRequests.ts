/**
 * Requests of the protocol without sessions (2026-07-28) over HTTP: how many there may be, and the statuses of their answers.
 */
import { type Answer, ClientRequest, Era, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { StatelessHandler } from "./eras/StatelessHandler.js"
import type { EventBudget } from "./EventBudget.js"
import { Exchange } from "./Exchange.js"
import * as Headers from "./Headers.js"
import type { Refusal } from "./Refusal.js"
import { Shares } from "./Shares.js"
import { SseWriter } from "./SseWriter.js"

/** How such requests are served. */
export interface Options {
  readonly stateless: StatelessHandler
  readonly budget: EventBudget
  /** Requests that a client alone may have open at once, and streams of changes; several clients share twice as many. */
  readonly maxCalls: number
  readonly onError: (error: unknown) => void
}

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

/** Serves requests, and knows those that are not over. */
export class StatelessRequests {
  readonly #options: Options
  /** Those that are not over, with the streams that they are answered with. */
  readonly #open = new Map<ClientRequest, SseWriter | undefined>()
  readonly #calls: Shares
  /** Streams of changes stay open, and would take what there is for calls. */
  readonly #listeners: Shares

  constructor(options: Options) {
    this.#options = options
    this.#calls = new Shares(2 * options.maxCalls)
    this.#listeners = new Shares(2 * options.maxCalls)
  }

  /** Takes what came in one POST; or says why not. `tokenHash`: a hash of the client's token. */
  post(
    message: JSONRPCMessage,
    { headers, socket }: Pick<IncomingMessage, "headers" | "socket">,
    tokenHash: string,
    response: ServerResponse
  ): Refusal | undefined {
    if (!JsonRpc.isRequest(message)) {
      // Cancelling is closing; there is nothing else to be notified of.
      response.writeHead(202).end()
      return undefined
    }
    const refusal = Headers.checkStateless(headers, message, Meta.of(message.params)[Meta.keys.protocolVersion])
    if (refusal !== undefined) return refusal
    const client = `${tokenHash} ${socket.remoteAddress} ${nameOf(message)}`
    const isListening = message.method === "subscriptions/listen"
    const open = isListening ? this.#listeners : this.#calls
    if (!open.take(client)) {
      const what = isListening ? "streams of changes" : "requests that are not answered yet"
      const text = `This client has ${
        open.heldBy(client)
      } ${what}, the maximum while all clients without sessions have ${open.total}`
      return { status: 429, message: text, id: message.id, headers: { "Retry-After": "1" }, isRead: true }
    }
    let isTaking = true
    const exchange: Exchange = new Exchange({
      response,
      ids: [message.id],
      isBatch: false,
      makeStream: () => this.#stream(request, client),
      statusOf: (answer) => statusOf(answer, isTaking),
      onOver: () => open.release(client),
      onError: this.#options.onError
    })
    const request = new ClientRequest(message, exchange, (request) => void this.#open.delete(request))
    this.#open.set(request, undefined)
    // A client that goes away cancels its request.
    response.once("close", () => request.cancel("the client has gone"))
    this.#options.stateless.request(request, tokenHash)
    isTaking = false
    return undefined
  }

  #stream(request: ClientRequest, client: string): SseWriter {
    const stream = new SseWriter({ budget: this.#options.budget, client, headers: {}, primes: () => false })
    this.#open.set(request, stream)
    return stream
  }

  /** Called now and then: shows that streams live, and ends calls whose clients did not come back. */
  tick(): void {
    for (const stream of this.#open.values()) stream?.tick()
    this.#options.stateless.tick()
  }

  /** Ends all; ends when all are answered. */
  async close(): Promise<void> {
    const why = "the gateway is shutting down"
    const open = [...this.#open.keys()]
    const answered = open.map((request) => new Promise<void>((resolve) => request.onOver(() => resolve())))
    for (const request of open) request.interrupt(why)
    await Promise.all([this.#options.stateless.close(why), ...answered])
  }
}

/** `isTaking`: whether it is answered at once. */
const statusOf = (answer: Answer, isTaking: boolean): number =>
  "error" in answer ? (isTaking ? statuses : laterStatuses)[answer.error.code] ?? 200 : 200
