/**
 * What a host without a session listens to (`subscriptions/listen`): the change notifications that each of its streams has asked for,
 * as far as the session has them. A stream is acknowledged when that is known, and ends with a result.
 */
import { JsonRpc, Meta } from "@mcp-lifeline/protocol"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCResponse,
  RequestId,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
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

/** Between whom this stands. */
export interface Between {
  /** Asks the session. */
  readonly ask: (
    method: string,
    params: Readonly<Record<string, unknown>>,
    answered?: (response: JSONRPCResponse) => void
  ) => void
  /** Gives the host a message of one of its streams. */
  readonly write: (message: JSONRPCMessage, stream: RequestId) => void
}

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
const patience = 5000

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
export const stamped = <A extends Readonly<Record<string, unknown>>>(id: RequestId, value: A | undefined) => ({
  ...value,
  _meta: { ...Object(value?.["_meta"]), [Meta.keys.subscriptionId]: id }
})

const notification = (id: RequestId, method: string, params: JSONRPCNotification["params"]): JSONRPCNotification => ({
  jsonrpc: "2.0",
  method,
  params: stamped(id, params)
})

/** The end of a stream, in the way that lets its host open another one at once. */
export const closing = (id: RequestId): JSONRPCResponse => ({
  jsonrpc: "2.0",
  id,
  result: stamped(id, { resultType: "complete" })
})

/** The streams of one host. */
export class Subscriptions {
  readonly #between: Between
  readonly #streams = new Map<RequestId, Stream>()
  /** The resources that the session was asked for, and whether it tells of them. */
  readonly #asked = new Map<string, Promise<boolean>>()

  constructor(between: Between) {
    this.#between = between
  }

  /** Opens a stream; or says why not. `offered`: what the session has. */
  open(id: RequestId, params: unknown, offered: Promise<ServerCapabilities>): Envelope.Refusal | undefined {
    const filter = filterOf(params)
    if (filter === undefined) {
      return { code: JsonRpc.invalidParams, message: "params.notifications must say what to listen to" }
    }
    if (this.#streams.size >= maxStreams) return { code: JsonRpc.internalError, message: "Subscription limit reached" }
    const { resourceSubscriptions: uris = [], ...lists } = filter
    const stream: Stream = { filter: lists, held: [] }
    this.#streams.set(id, stream)
    void this.#acknowledge(id, stream, uris, offered)
    return undefined
  }

  /** The host wants to hear no more of a stream; says whether there is one. */
  close(id: RequestId): boolean {
    const isOpen = this.#streams.delete(id)
    if (isOpen) this.#subscribe()
    return isOpen
  }

  /** Ends all streams: with an error, where there is one. */
  end(error?: Envelope.Refusal): void {
    for (const id of [...this.#streams.keys()]) this.#end(id, error)
  }

  /** Takes a notification of the session; says whether it is about a change. */
  notified({ method, params }: JSONRPCNotification): boolean {
    const flag = Object.hasOwn(flags, method) ? flags[method as keyof typeof flags] : undefined
    if (flag === undefined && method !== updated) return false
    const uri = params?.["uri"]
    for (const [id, { filter, held }] of this.#streams) {
      const wants = flag === undefined ? filter.resourceSubscriptions?.includes(uri as string) : filter[flag]
      if (wants !== true) continue
      const copy = notification(id, method, params)
      if (held === undefined) this.#between.write(copy, id)
      else held.push(copy)
    }
    return true
  }

  async #acknowledge(
    id: RequestId,
    stream: Stream,
    uris: ReadonlyArray<string>,
    offered: Promise<ServerCapabilities>
  ): Promise<void> {
    const isOpen = (): boolean => this.#streams.get(id) === stream
    const capabilities = await offered
    if (!isOpen()) return
    stream.filter = announcedOf(stream.filter, capabilities)
    if (uris.length > 0 && capabilities.resources?.subscribe === true) {
      const lists = stream.filter
      stream.filter = { ...lists, resourceSubscriptions: uris }
      this.#subscribe()
      const told = await this.#told(uris)
      if (!isOpen()) return
      stream.filter = told.length === 0 ? lists : { ...lists, resourceSubscriptions: told }
    }
    const { held = [] } = stream
    stream.held = undefined
    const acknowledged = { notifications: stream.filter }
    this.#between.write(notification(id, "notifications/subscriptions/acknowledged", acknowledged), id)
    for (const copy of held) this.#between.write(copy, id)
    // Nothing would ever come.
    if (Object.keys(stream.filter).length === 0) this.#end(id)
  }

  /** Those of these resources that the session tells of, or has not refused in time. */
  async #told(uris: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), patience)
    })
    const told = await Promise.all(uris.map((uri) => Promise.race([this.#asked.get(uri), late])))
    clearTimeout(timer)
    return uris.filter((_, index) => told[index])
  }

  #end(id: RequestId, error?: Envelope.Refusal): void {
    if (!this.close(id)) return
    this.#between.write(error === undefined ? closing(id) : { jsonrpc: "2.0", id, error: { ...error } }, id)
  }

  /** Has the session subscribe to what streams listen to, and to nothing else. */
  #subscribe(): void {
    const wanted = new Set([...this.#streams.values()].flatMap(({ filter }) => filter.resourceSubscriptions ?? []))
    for (const uri of wanted) if (!this.#asked.has(uri)) this.#asked.set(uri, this.#ask(uri))
    for (const uri of [...this.#asked.keys()]) {
      if (wanted.has(uri)) continue
      this.#asked.delete(uri)
      this.#between.ask("resources/unsubscribe", { uri })
    }
  }

  #ask(uri: string): Promise<boolean> {
    return new Promise((resolve) =>
      this.#between.ask("resources/subscribe", { uri }, (response) => {
        const isTold = "result" in response
        if (!isTold) this.#asked.delete(uri)
        resolve(isTold)
      })
    )
  }
}
