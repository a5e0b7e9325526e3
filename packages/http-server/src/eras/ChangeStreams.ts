/** Streams of `subscriptions/listen`. Each is acknowledged with the part of its filter that the session supports, and ends with a result. */
import { type ClientRequest, JsonRpc, JsonRpcError, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCResponse, ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { announcedLists } from "../messages.js"
import { bytesOf, noRoom, roomOfOne } from "../subscriptionLimits.js"
import type * as Envelope from "./Envelope.js"

interface Filter {
  readonly toolsListChanged?: boolean
  readonly promptsListChanged?: boolean
  readonly resourcesListChanged?: boolean
  readonly resourceSubscriptions?: ReadonlyArray<string>
}

interface Stream {
  filter: Filter
  uris: ReadonlySet<string>
  /** They arrived before the acknowledgement, which comes first; undefined after it. */
  held: Map<string, JSONRPCNotification> | undefined
}

interface Subscribed {
  streams: number
  isRefused: boolean
  isAccepted: Promise<boolean>
}

type SendToSession = (
  method: string,
  params: Readonly<Record<string, unknown>>,
  answered?: (response: JSONRPCResponse) => void
) => void

const flags = {
  "notifications/tools/list_changed": "toolsListChanged",
  "notifications/prompts/list_changed": "promptsListChanged",
  "notifications/resources/list_changed": "resourcesListChanged"
} as const

const updated = "notifications/resources/updated"

/** The v2 SDK has the same limit. */
const maxStreams = 1024

/**
 * How long the acknowledgement waits for `resources/subscribe`, in milliseconds: a server that is down answers when it is back, and other
 * changes should come sooner.
 */
const acknowledgeWait = 5000

const flagged = (has: (flag: typeof flags[keyof typeof flags]) => boolean): Filter =>
  Object.fromEntries(Object.values(flags).filter(has).map((flag) => [flag, true]))

const filterOf = (params: unknown): Filter | undefined => {
  const requested = Predicate.isRecord(params) ? params["notifications"] : undefined
  if (!Predicate.isRecord(requested)) return undefined
  const uris = requested["resourceSubscriptions"]
  if (uris !== undefined && !(Array.isArray(uris) && uris.every(Predicate.isString))) return undefined
  return {
    ...flagged((flag) => requested[flag] === true),
    ...(uris === undefined || uris.length === 0 ? {} : { resourceSubscriptions: uris })
  }
}

const announced = (filter: Filter, capabilities: ServerCapabilities): Filter => {
  const lists = new Set(announcedLists({ capabilities }).map((list) => `${list}ListChanged`))
  return flagged((flag) => filter[flag] === true && lists.has(flag))
}

const withSubscriptionId = <A extends Readonly<Record<string, unknown>>>(
  { id }: ClientRequest,
  value: A | undefined
) => ({
  ...value,
  _meta: { ...Object(value?.["_meta"]), [Meta.keys.subscriptionId]: id }
})

const notification = (
  stream: ClientRequest,
  method: string,
  params: JSONRPCNotification["params"]
): JSONRPCNotification => ({ jsonrpc: "2.0", method, params: withSubscriptionId(stream, params) })

export class ChangeStreams {
  readonly #sendToSession: SendToSession
  readonly #streams = new Map<ClientRequest, Stream>()
  readonly #subscribed = new Map<string, Subscribed>()
  readonly #room = roomOfOne()

  constructor(sendToSession: SendToSession) {
    this.#sendToSession = sendToSession
  }

  get size(): number {
    return this.#streams.size
  }

  /** The stream lasts as long as its request. Returns why it cannot open. */
  open(request: ClientRequest, capabilities: Promise<ServerCapabilities>): Envelope.ErrorObject | undefined {
    const filter = filterOf(request.params)
    if (filter === undefined) {
      return { code: JsonRpc.invalidParams, message: "params.notifications must say what to listen to" }
    }
    if (this.#streams.size >= maxStreams) return { code: JsonRpc.internalError, message: "Subscription limit reached" }
    const { resourceSubscriptions: uris = [], ...lists } = filter
    const sizes = uris.map(bytesOf)
    const excess = this.#room.takeAll(sizes)
    if (excess !== undefined) return { code: JsonRpcError.ourCode, message: noRoom(excess) }
    const stream: Stream = { filter: lists, uris: new Set(), held: new Map() }
    this.#streams.set(request, stream)
    request.onOver(() => {
      this.#streams.delete(request)
      for (const bytes of sizes) this.#room.release(bytes)
      this.#listen(stream, [])
    })
    request.work = {
      stop: (_reason, why) => {
        // A stream ends with a result, after which the client may at once open another one.
        if (why !== undefined) close(request)
        return undefined
      }
    }
    void this.#acknowledge(request, stream, uris, capabilities)
    return undefined
  }

  end(error?: Envelope.ErrorObject): void {
    for (const request of [...this.#streams.keys()]) {
      if (error === undefined) close(request)
      else request.answer({ error: { ...error } })
    }
  }

  /** Returns false for any other notification. */
  forward({ method, params }: JSONRPCNotification): boolean {
    const flag = Object.hasOwn(flags, method) ? flags[method as keyof typeof flags] : undefined
    if (flag === undefined && method !== updated) return false
    const uri = params?.["uri"]
    for (const [request, { filter, held, uris }] of this.#streams) {
      const wants = flag === undefined ? uris.has(uri as string) : filter[flag]
      if (wants !== true) continue
      const copy = notification(request, method, params)
      if (held === undefined) request.say(copy)
      else held.set(flag ?? `uri ${uri as string}`, copy)
    }
    return true
  }

  async #acknowledge(
    request: ClientRequest,
    stream: Stream,
    uris: ReadonlyArray<string>,
    whenKnown: Promise<ServerCapabilities>
  ): Promise<void> {
    const capabilities = await whenKnown
    if (request.isOver) return
    stream.filter = announced(stream.filter, capabilities)
    if (uris.length > 0 && capabilities.resources?.subscribe === true) {
      this.#listen(stream, uris)
      const accepted = await this.#acceptedUris(uris)
      if (request.isOver) return
      this.#listen(stream, accepted)
      if (accepted.length > 0) stream.filter = { ...stream.filter, resourceSubscriptions: accepted }
    }
    const held = [...stream.held?.values() ?? []]
    stream.held = undefined
    const acknowledged = { notifications: stream.filter }
    request.say(notification(request, "notifications/subscriptions/acknowledged", acknowledged))
    for (const copy of held) request.say(copy)
    // The stream would never get a notification.
    if (Object.keys(stream.filter).length === 0) close(request)
  }

  /** Accepted by the session, or not refused in time. */
  async #acceptedUris(uris: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    let timer: NodeJS.Timeout | undefined
    const timedOut = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), acknowledgeWait)
    })
    const accepted = await Promise.all(
      uris.map((uri) => Promise.race([this.#subscribed.get(uri)?.isAccepted, timedOut]))
    )
    clearTimeout(timer)
    return uris.filter((_, index) => accepted[index])
  }

  #listen(stream: Stream, uris: ReadonlyArray<string>): void {
    const before = stream.uris
    const now = stream.uris = new Set(uris)
    for (const uri of now) {
      if (before.has(uri)) continue
      const known = this.#subscribed.get(uri)
      const subscribed = known ?? { streams: 0, isRefused: true, isAccepted: Promise.resolve(false) }
      this.#subscribed.set(uri, subscribed)
      subscribed.streams++
      if (subscribed.isRefused) this.#ask(uri, subscribed)
    }
    for (const uri of before) {
      const subscribed = this.#subscribed.get(uri)
      if (now.has(uri) || subscribed === undefined || --subscribed.streams > 0) continue
      this.#subscribed.delete(uri)
      if (!subscribed.isRefused) this.#sendToSession("resources/unsubscribe", { uri })
    }
  }

  #ask(uri: string, subscribed: Subscribed): void {
    subscribed.isRefused = false
    subscribed.isAccepted = new Promise((resolve) =>
      this.#sendToSession("resources/subscribe", { uri }, (response) => {
        subscribed.isRefused = !("result" in response)
        resolve(!subscribed.isRefused)
      })
    )
  }
}

const close = (request: ClientRequest): void =>
  request.answer({ result: withSubscriptionId(request, { resultType: "complete" }) })
