/**
 * What a host without a session listens to (`subscriptions/listen`): the change notifications that each of its streams has asked for,
 * as far as the session has them. A stream is acknowledged when that is known, and ends with a result.
 */
import { type ClientRequest, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCResponse, ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type * as Envelope from "./Envelope.js"

/** What one stream is about. */
interface Filter {
  readonly toolsListChanged?: boolean
  readonly promptsListChanged?: boolean
  readonly resourcesListChanged?: boolean
  readonly resourceSubscriptions?: ReadonlyArray<string>
}

/** One stream. */
interface Stream {
  filter: Filter
  /** What has changed before it was acknowledged, which comes first. */
  held: Array<JSONRPCNotification> | undefined
}

/** Asks the session. */
type Ask = (
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

/** Streams at once; the v2 SDK has the same bound. */
const maxStreams = 1024
/** Resources of one stream. */
const maxResources = 10_000

/**
 * How long the acknowledgement waits for what the session says of resources, in milliseconds: a server that is down is asked when it is
 * back, and other changes are not kept from the host so long.
 */
const acknowledgeWait = 5000

const filterOf = (params: unknown): Filter | undefined => {
  const asked = Predicate.isRecord(params) ? params["notifications"] : undefined
  if (!Predicate.isRecord(asked)) return undefined
  const uris = asked["resourceSubscriptions"]
  if (uris !== undefined && !(Array.isArray(uris) && uris.every(Predicate.isString) && uris.length <= maxResources)) {
    return undefined
  }
  return {
    ...Object.fromEntries(Object.values(flags).filter((flag) => asked[flag] === true).map((flag) => [flag, true])),
    ...(uris === undefined || uris.length === 0 ? {} : { resourceSubscriptions: uris })
  }
}

/** What of a filter the session announces. */
const announcedOf = (filter: Filter, { prompts, resources, tools }: ServerCapabilities): Filter => ({
  ...(filter.toolsListChanged === true && tools?.listChanged === true ? { toolsListChanged: true } : {}),
  ...(filter.promptsListChanged === true && prompts?.listChanged === true ? { promptsListChanged: true } : {}),
  ...(filter.resourcesListChanged === true && resources?.listChanged === true ? { resourcesListChanged: true } : {})
})

/** What is said of one stream, under its id. */
const stamped = <A extends Readonly<Record<string, unknown>>>({ id }: ClientRequest, value: A | undefined) => ({
  ...value,
  _meta: { ...Object(value?.["_meta"]), [Meta.keys.subscriptionId]: id }
})

const notification = (
  stream: ClientRequest,
  method: string,
  params: JSONRPCNotification["params"]
): JSONRPCNotification => ({ jsonrpc: "2.0", method, params: stamped(stream, params) })

/** The streams of one host. */
export class ChangeStreams {
  readonly #askSession: Ask
  readonly #streams = new Map<ClientRequest, Stream>()
  /** The resources that the session was asked for, and whether it tells of them. */
  readonly #asked = new Map<string, Promise<boolean>>()

  constructor(ask: Ask) {
    this.#askSession = ask
  }

  get size(): number {
    return this.#streams.size
  }

  /** Opens a stream, which lasts as long as its request; or says why not. `offered`: what the session has. */
  open(request: ClientRequest, offered: Promise<ServerCapabilities>): Envelope.Refusal | undefined {
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
        // Its end is a result, after which its host may open another one at once.
        if (why !== undefined) close(request)
        return undefined
      }
    }
    void this.#acknowledge(request, stream, uris, offered)
    return undefined
  }

  /** Ends all streams: with an error, where there is one. */
  end(error?: Envelope.Refusal): void {
    for (const request of [...this.#streams.keys()]) {
      if (error === undefined) close(request)
      else request.answer({ error: { ...error } })
    }
  }

  /** Takes a notification of the session; says whether it is about a change. */
  notified({ method, params }: JSONRPCNotification): boolean {
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
    offered: Promise<ServerCapabilities>
  ): Promise<void> {
    const capabilities = await offered
    if (request.isOver) return
    stream.filter = announcedOf(stream.filter, capabilities)
    if (uris.length > 0 && capabilities.resources?.subscribe === true) {
      const lists = stream.filter
      stream.filter = { ...lists, resourceSubscriptions: uris }
      this.#subscribe()
      const told = await this.#told(uris)
      if (request.isOver) return
      stream.filter = told.length === 0 ? lists : { ...lists, resourceSubscriptions: told }
    }
    const { held = [] } = stream
    stream.held = undefined
    const acknowledged = { notifications: stream.filter }
    request.say(notification(request, "notifications/subscriptions/acknowledged", acknowledged))
    for (const copy of held) request.say(copy)
    // Nothing would ever come.
    if (Object.keys(stream.filter).length === 0) close(request)
  }

  /** Those of these resources that the session tells of, or has not refused in time. */
  async #told(uris: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), acknowledgeWait)
    })
    const told = await Promise.all(uris.map((uri) => Promise.race([this.#asked.get(uri), late])))
    clearTimeout(timer)
    return uris.filter((_, index) => told[index])
  }

  /** Has the session subscribe to what streams listen to, and to nothing else. */
  #subscribe(): void {
    const wanted = new Set([...this.#streams.values()].flatMap(({ filter }) => filter.resourceSubscriptions ?? []))
    for (const uri of wanted) if (!this.#asked.has(uri)) this.#asked.set(uri, this.#ask(uri))
    for (const uri of [...this.#asked.keys()]) {
      if (wanted.has(uri)) continue
      this.#asked.delete(uri)
      this.#askSession("resources/unsubscribe", { uri })
    }
  }

  #ask(uri: string): Promise<boolean> {
    return new Promise((resolve) =>
      this.#askSession("resources/subscribe", { uri }, (response) => {
        const isTold = "result" in response
        if (!isTold) this.#asked.delete(uri)
        resolve(isTold)
      })
    )
  }
}

/** Ends a stream in the way that lets its host open another one at once. */
const close = (request: ClientRequest): void => request.answer({ result: stamped(request, { resultType: "complete" }) })
