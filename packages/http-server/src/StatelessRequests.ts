/** Requests of the protocol without sessions (2026-07-28) over HTTP: their limits, and the statuses of answers. */
import { Bytes } from "@mcp-lifeline/core/text"
import { type Answer, ClientRequest, Era, JsonRpc, Meta, type Quota, Shares } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Arrival from "./Arrival.js"
import { type Caller, mayListen, ownerOf } from "./Caller.js"
import type { Conversations } from "./eras/Conversations.js"
import type { EventBudget } from "./EventBudget.js"
import { type Arrived, Exchange } from "./Exchange.js"
import * as Headers from "./Headers.js"
import * as messages from "./messages.js"
import * as OpenLimits from "./openLimits.js"
import * as OpenStreams from "./OpenStreams.js"
import { type Refusal, tooMany } from "./Refusal.js"
import { SseWriter } from "./SseWriter.js"
import { bytesOf, noRoom } from "./subscriptionLimits.js"

export interface Options {
  readonly stateless: Pick<Conversations, "close" | "endOf" | "forget" | "request" | "tick">
  readonly budget: EventBudget
  /** Open requests of the only client, and as many streams of changes; several clients share twice as many. */
  readonly maxCalls: number
  readonly open: Quota
  readonly subscriptions: Quota
  readonly onError: (error: unknown) => void
}

/** For later errors. Others may be the server's own, which are answers like any other. */
const laterStatuses: Readonly<Record<number, number>> = {
  [JsonRpc.methodNotFound]: 404,
  [Era.missingCapability]: 400
}

const statuses: Readonly<Record<number, number>> = {
  ...laterStatuses,
  [JsonRpc.invalidRequest]: 400,
  [JsonRpc.invalidParams]: 400,
  [Era.unsupportedVersion]: 400
}

const nameOf = ({ params }: JSONRPCRequest): string => {
  const info = Meta.of(params)[Meta.keys.clientInfo]
  const parts = Predicate.isRecord(info) ? [info["name"], info["version"]] : []
  return parts.map((text) => Predicate.isString(text) ? text.slice(0, 100) : "").join(" ")
}

const urisOf = ({ params }: JSONRPCRequest): ReadonlyArray<string> => {
  const wanted = params?.["notifications"]
  const uris = Predicate.isRecord(wanted) ? wanted["resourceSubscriptions"] : undefined
  return Array.isArray(uris) ? uris.filter(Predicate.isString) : []
}

const isListening = ({ method }: { readonly method: string }): boolean => method === "subscriptions/listen"

export class StatelessRequests {
  readonly #options: Options
  readonly #open = new Map<ClientRequest, { readonly caller: Caller; stream?: SseWriter }>()
  readonly #calls: Shares
  /** Streams of changes stay open, and would take the place of calls. */
  readonly #listeners: Shares

  constructor(options: Options) {
    this.#options = options
    this.#calls = new Shares(2 * options.maxCalls)
    this.#listeners = new Shares(2 * options.maxCalls)
  }

  /** Returns why a POST is refused. */
  post(
    message: JSONRPCMessage,
    from: Pick<IncomingMessage, "headers" | "socket">,
    caller: Caller,
    response: ServerResponse,
    { bytes = Bytes(0), unsent }: Arrived = {}
  ): Refusal | undefined {
    if (!JsonRpc.isRequest(message)) {
      // Clients cancel by closing the connection, and have nothing else to notify us of.
      response.writeHead(202).end()
      return undefined
    }
    const refusal = Headers.checkStateless(from.headers, message, Meta.of(message.params)[Meta.keys.protocolVersion])
    if (refusal !== undefined) return refusal
    const owner = ownerOf(caller)
    const client = owner === "" ? `${Arrival.of(from).address} ${nameOf(message)}` : owner
    const listens = isListening(message)
    const { open, subscriptions: room } = this.#options
    const like = listens ? this.#listeners : this.#calls
    const amount = OpenLimits.amountOf(listens ? 0 : 1, bytes)
    const crowded = OpenLimits.take(open, client, amount, message.id)
    if (crowded !== undefined) return crowded
    const subscriptions = room.holderOf(client)
    const giveBack = (): void => {
      subscriptions.close()
      open.release(client, amount)
    }
    const excess = listens ? subscriptions.takeAll(urisOf(message).map(bytesOf)) : undefined
    if (excess !== undefined || !like.take(client)) {
      giveBack()
      const what = listens ? "streams of changes" : "requests that are not answered yet"
      return tooMany(
        message.id,
        excess !== undefined ?
          noRoom(excess) :
          `This client has ${
            like.heldBy(client)
          } ${what}, the maximum while all clients without sessions have ${like.total}`
      )
    }
    let isAtOnce = true
    const exchange: Exchange = new Exchange({
      response,
      ids: [message.id],
      isBatch: false,
      makeStream: () => this.#stream(request, caller, client),
      statusOf: (answer) => statusOf(answer, isAtOnce),
      unsent: unsent && ((response) => unsent(response, messages.bodyOf([message], false))),
      onOver: () => {
        like.release(client)
        giveBack()
      },
      onError: this.#options.onError
    })
    const request = new ClientRequest(message, exchange, (request) => void this.#open.delete(request))
    request.bytes = bytes
    this.#open.set(request, { caller })
    if (listens) {
      OpenStreams.note(
        from,
        response,
        () => request.interrupt("the credentials of the stream are not accepted any more")
      )
    }
    response.once("close", () => request.cancel("the client has gone"))
    this.#options.stateless.request(request, caller)
    isAtOnce = false
    return undefined
  }

  #stream(request: ClientRequest, caller: Caller, client: string): SseWriter {
    const stream = new SseWriter({ budget: this.#options.budget, client, sendsPrimingEvent: () => false })
    this.#open.set(request, { caller, stream })
    return stream
  }

  /** Also ends streams of changes whose credentials have expired. */
  tick(): void {
    for (const [request, { caller, stream }] of [...this.#open]) {
      if (!isListening(request) || mayListen(caller)) stream?.tick()
      else request.interrupt("the credentials of the stream have expired")
    }
    this.#options.stateless.tick()
  }

  endOf({ subject }: Pick<Caller, "subject">, why: string): void {
    for (const [request, { caller }] of [...this.#open]) {
      if (caller.subject !== subject) continue
      request.mayMove = false
      request.interrupt(why)
    }
    this.#options.stateless.endOf({ subject }, why)
  }

  /** Ends what goes on between requests, and what is open there. */
  async forget(why: string): Promise<void> {
    const open = [...this.#open.keys()]
    for (const request of open) request.mayMove = true
    await this.#options.stateless.forget(why)
    for (const request of open) request.mayMove = false
  }

  /** Resolves when all requests are answered. */
  async close(): Promise<void> {
    const why = "the gateway is shutting down"
    const open = [...this.#open.keys()]
    const answered = open.map((request) => new Promise<void>((resolve) => request.onOver(() => resolve())))
    for (const request of open) request.interrupt(why)
    await Promise.all([this.#options.stateless.close(why), ...answered])
  }
}

/** `isAtOnce`: whether the answer came before `post` returned. */
const statusOf = (answer: Answer, isAtOnce: boolean): number =>
  "error" in answer ? (isAtOnce ? statuses : laterStatuses)[answer.error.code] ?? 200 : 200
