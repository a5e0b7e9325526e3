/**
 * What a host without a session listens to (`subscriptions/listen`): the change notifications that each of its streams has asked for.
 */
import { JsonRpc, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"

/** What one stream has asked for. */
interface Filter {
  readonly toolsListChanged?: boolean
  readonly promptsListChanged?: boolean
  readonly resourcesListChanged?: boolean
  readonly resourceSubscriptions?: ReadonlyArray<string>
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

/** The open streams of one host. */
export class Subscriptions {
  readonly #streams = new Map<RequestId, Filter>()

  /** Opens a stream: gives the notification that acknowledges it and the resources it is about, or why it is refused. */
  open(id: RequestId, params: unknown):
    | { readonly acknowledged: JSONRPCNotification; readonly uris: ReadonlyArray<string> }
    | { readonly code: number; readonly message: string }
  {
    const filter = filterOf(params)
    if (filter === undefined) {
      return { code: JsonRpc.invalidParams, message: "params.notifications must say what to listen to" }
    }
    if (this.#streams.size >= maxStreams) return { code: JsonRpc.internalError, message: "Subscription limit reached" }
    this.#streams.set(id, filter)
    const acknowledged = stamped(id, "notifications/subscriptions/acknowledged", { notifications: filter })
    return { acknowledged, uris: filter.resourceSubscriptions ?? [] }
  }

  /** Closes a stream; says whether there was one. */
  close(id: RequestId): boolean {
    return this.#streams.delete(id)
  }

  /** The resources that streams listen to. */
  get uris(): ReadonlySet<string> {
    return new Set([...this.#streams.values()].flatMap(({ resourceSubscriptions }) => resourceSubscriptions ?? []))
  }

  /** The copies of a notification for the streams that want it; nothing where it is not about a change. */
  copies({ method, params }: JSONRPCNotification): ReadonlyArray<JSONRPCNotification> | undefined {
    const flag = Object.hasOwn(flags, method) ? flags[method as keyof typeof flags] : undefined
    if (flag === undefined && method !== updated) return undefined
    const uri = params?.["uri"]
    const wants = (filter: Filter): boolean =>
      flag === undefined ? filter.resourceSubscriptions?.includes(uri as string) === true : filter[flag] === true
    return [...this.#streams].filter(([, filter]) => wants(filter)).map(([id]) => stamped(id, method, params))
  }
}

const stamped = (id: RequestId, method: string, params: Readonly<Record<string, unknown>> | undefined) => ({
  jsonrpc: "2.0" as const,
  method,
  params: { ...params, _meta: { ...Object(params?.["_meta"]), [Meta.keys.subscriptionId]: id } }
})
