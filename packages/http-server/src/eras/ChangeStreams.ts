/**
 * The streams of change notifications that a client without a session opens with `subscriptions/listen`. Each stream is acknowledged with the
 * part of its filter that the session supports, and ends with a result.
 */
import { type ClientRequest, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCResponse, ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { maxSubscriptions } from "../Conversation.js"
import type * as Envelope from "./Envelope.js"

/** Which changes a stream reports. */
interface Filter {
  readonly toolsListChanged?: boolean
  readonly promptsListChanged?: boolean
  readonly resourcesListChanged?: boolean
  readonly resourceSubscriptions?: ReadonlyArray<string>
}

/** One stream. */
interface Stream {
  filter: Filter
  /** Notifications that arrived before the acknowledgement, which comes first; undefined after it. */
  held: Array<JSONRPCNotification> | undefined
}

/** Sends the session a request. */
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

/** Streams at once; the v2 SDK has the same limit. */
const maxStreams = 1024

/**
 * How long the acknowledgement waits for answers to `resources/subscribe`, in milliseconds: a server that is down answers when it is back, and
 * the client should get other changes sooner.
 */
const acknowledgeWait = 5000

const filterOf = (params: unknown): Filter | undefined => {
  const requested = Predicate.isRecord(params) ? params["notifications"] : undefined
  if (!Predicate.isRecord(requested)) return undefined
  const uris = requested["resourceSubscriptions"]
  if (
    uris !== undefined && !(Array.isArray(uris) && uris.every(Predicate.isString) && uris.length <= maxSubscriptions)
  ) {
    return undefined
  }
  return {
    ...Object.fromEntries(Object.values(flags).filter((flag) => requested[flag] === true).map((flag) => [flag, true])),
    ...(uris === undefined || uris.length === 0 ? {} : { resourceSubscriptions: uris })
  }
}

/** The part of a filter for lists that the server announces changes of. */
const announcedLists = (filter: Filter, { prompts, resources, tools }: ServerCapabilities): Filter => ({
  ...(filter.toolsListChanged === true && tools?.listChanged === true ? { toolsListChanged: true } : {}),
  ...(filter.promptsListChanged === true && prompts?.listChanged === true ? { promptsListChanged: true } : {}),
  ...(filter.resourcesListChanged === true && resources?.listChanged === true ? { resourcesListChanged: true } : {})
})

/** Adds the id of a stream to what is sent on it. */
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

/** The streams of one client. */
export class ChangeStreams {
  readonly #sendToSession: SendToSession
  readonly #streams = new Map<ClientRequest, Stream>()
  /** The resources that the session was asked to subscribe to, and whether it accepted. */
  readonly #subscribed = new Map<string, Promise<boolean>>()

  constructor(sendToSession: SendToSession) {
    this.#sendToSession = sendToSession
  }

  get size(): number {
    return this.#streams.size
  }

  /** Opens a stream, which lasts as long as its request; or returns why not. */
  open(request: ClientRequest, capabilities: Promise<ServerCapabilities>): Envelope.ErrorObject | undefined {
    const filter = filterOf(request.params)
    if (filter === undefined) {
      return { code: JsonRpc.invalidParams, message: "params.notifications must say what to listen to" }
    }
    if (this.#streams.size >= maxStreams) return { code: JsonRpc.internalError, message: "Subscription limit reached" }
    const { resourceSubscriptions: uris = [], ...lists } = filter
    const stream: Stream = { filter: lists, held: [] }
    this.#streams.set(request, stream)
    request.onOver(() => {
      this.#streams.delete(request)
      this.#subscribe()
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

  /** Ends all streams, with the error if there is one. */
  end(error?: Envelope.ErrorObject): void {
    for (const request of [...this.#streams.keys()]) {
      if (error === undefined) close(request)
      else request.answer({ error: { ...error } })
    }
  }

  /** Forwards a notification of a change to the streams that want it. Returns false for any other notification. */
  forward({ method, params }: JSONRPCNotification): boolean {
    const flag = Object.hasOwn(flags, method) ? flags[method as keyof typeof flags] : undefined
    if (flag === undefined && method !== updated) return false
    const uri = params?.["uri"]
    for (const [request, { filter, held }] of this.#streams) {
      const wants = flag === undefined ? filter.resourceSubscriptions?.includes(uri as string) : filter[flag]
      if (wants !== true) continue
      const copy = notification(request, method, params)
      if (held === undefined) request.say(copy)
      else held.push(copy)
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
    stream.filter = announcedLists(stream.filter, capabilities)
    if (uris.length > 0 && capabilities.resources?.subscribe === true) {
      const lists = stream.filter
      stream.filter = { ...lists, resourceSubscriptions: uris }
      this.#subscribe()
      const accepted = await this.#acceptedUris(uris)
      if (request.isOver) return
      stream.filter = accepted.length === 0 ? lists : { ...lists, resourceSubscriptions: accepted }
    }
    const { held = [] } = stream
    stream.held = undefined
    const acknowledged = { notifications: stream.filter }
    request.say(notification(request, "notifications/subscriptions/acknowledged", acknowledged))
    for (const copy of held) request.say(copy)
    // The stream would never get a notification.
    if (Object.keys(stream.filter).length === 0) close(request)
  }

  /** The resources whose subscription the session accepted, or did not refuse in time. */
  async #acceptedUris(uris: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    let timer: NodeJS.Timeout | undefined
    const timedOut = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), acknowledgeWait)
    })
    const accepted = await Promise.all(uris.map((uri) => Promise.race([this.#subscribed.get(uri), timedOut])))
    clearTimeout(timer)
    return uris.filter((_, index) => accepted[index])
  }

  /** Subscribes to the resources that streams listen to, and unsubscribes from all others. */
  #subscribe(): void {
    const wanted = new Set([...this.#streams.values()].flatMap(({ filter }) => filter.resourceSubscriptions ?? []))
    for (const uri of wanted) if (!this.#subscribed.has(uri)) this.#subscribed.set(uri, this.#ask(uri))
    for (const uri of [...this.#subscribed.keys()]) {
      if (wanted.has(uri)) continue
      this.#subscribed.delete(uri)
      this.#sendToSession("resources/unsubscribe", { uri })
    }
  }

  #ask(uri: string): Promise<boolean> {
    return new Promise((resolve) =>
      this.#sendToSession("resources/subscribe", { uri }, (response) => {
        const isAccepted = "result" in response
        if (!isAccepted) this.#subscribed.delete(uri)
        resolve(isAccepted)
      })
    )
  }
}

/** Ends a stream so that its client may at once open another one. */
const close = (request: ClientRequest): void =>
  request.answer({ result: withSubscriptionId(request, { resultType: "complete" }) })
