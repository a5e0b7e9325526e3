/** What callers are offered of what the server has (`hide`, `only`): every list, request and notification is held against it. (G19) */
import { Predicate } from "effect"
import { longestUri } from "../catalog/Bounds.js"
import type { Lists } from "../catalog/Catalog.js"
import { byKind, keys, type Kind } from "../catalog/Kind.js"
import * as Template from "../catalog/Template.js"
import { RemoteError } from "../Errors.js"
import { cut } from "../observe/PlainText.js"
import * as ListFilter from "../options/ListFilter.js"
import type { Policy } from "../options/Policy.js"
import type { Offers, ServerNotification } from "../port/Connector.js"
import { OfferedUris } from "./OfferedUris.js"

const listMethods: Readonly<Record<string, Kind>> = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates"
}

const filterKey = (kind: Kind): ListFilter.Filtered => kind === "resourceTemplates" ? "resources" : kind

interface Unknown {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

const unknownName = (what: string, name: string): Unknown => ({
  code: -32602,
  message: `Unknown ${what}: ${cut(name, 200)}`
})

const unknownUri = (uri: string): Unknown => ({
  code: -32002,
  message: "Resource not found",
  data: { uri: cut(uri, longestUri) }
})

export class Offered implements Offers {
  readonly #filters: Policy["filters"]
  readonly #uris: OfferedUris
  readonly #announced = new Set<(notification: ServerNotification) => void>()
  /** As the server gave them; kept only where callers may get others. */
  #listed: Lists | undefined
  #hidden: { readonly [K in Kind]: number } | undefined
  readonly isAll: boolean

  constructor(filters: Policy["filters"]) {
    this.#filters = filters
    this.#uris = new OfferedUris(filters.resources)
    this.isAll = Object.values(filters).every(ListFilter.isOpen)
  }

  has(kind: Kind, key: string): boolean {
    if (this.#isOpen(kind)) return true
    return kind === "resources"
      ? this.#uris.has(key, this.#listed)
      : ListFilter.passes(this.#filters[filterKey(kind)], key)
  }

  #isOpen(kind: Kind): boolean {
    return ListFilter.isOpen(this.#filters[filterKey(kind)])
  }

  /** `listed` and `hidden` tell of these lists from now on. */
  read(listed: Lists): Lists {
    if (this.isAll) return listed
    this.#listed = listed
    const offered = this.only(listed)
    this.#hidden = byKind((kind) => listed[kind].length - offered[kind].length)
    return offered
  }

  only(lists: Lists): Lists {
    return this.isAll ? lists : byKind((kind) => this.#entries(kind, lists[kind])) as Lists
  }

  get listed(): Lists | undefined {
    return this.#listed
  }

  #entries(kind: Kind, entries: ReadonlyArray<unknown>): ReadonlyArray<unknown> {
    const offered = entries.filter((entry) => {
      const key = Predicate.isRecord(entry) ? entry[keys[kind]] : undefined
      return Predicate.isString(key) && this.has(kind, key)
    })
    return offered.length === entries.length ? entries : offered
  }

  result<A>(method: string, result: A): A {
    const kind = this.isAll || !Object.hasOwn(listMethods, method) ? undefined : listMethods[method]
    if (kind === undefined || !Predicate.isRecord(result)) return result
    const entries: unknown = result[kind]
    if (!Array.isArray(entries)) return result
    const offered = this.#entries(kind, entries)
    return offered === entries ? result : { ...result, [kind]: offered }
  }

  /** For a request that must not be sent. */
  refusal(backend: string, method: string, params: unknown): RemoteError | undefined {
    if (this.isAll) return undefined
    const unknown = this.#unknown(method, Predicate.isRecord(params) ? params : {})
    return unknown && new RemoteError({ backend, method, ...unknown })
  }

  #unknown(method: string, params: Readonly<Record<string, unknown>>): Unknown | undefined {
    switch (method) {
      case "tools/call":
        return this.#unless("tools", params["name"], (name) => unknownName("tool", name))
      case "prompts/get":
        return this.#unless("prompts", params["name"], (name) => unknownName("prompt", name))
      case "resources/read":
      case "resources/subscribe":
      case "resources/unsubscribe":
        return this.#unless("resources", params["uri"], unknownUri)
      case "completion/complete": {
        const ref = Predicate.isRecord(params["ref"]) ? params["ref"] : {}
        if (ref["type"] === "ref/prompt") {
          return this.#unless("prompts", ref["name"], (name) => unknownName("prompt", name))
        }
        const uri = ref["uri"]
        const isTemplate = Predicate.isString(uri) && Template.isTemplate(uri)
        return this.#unless(isTemplate ? "resourceTemplates" : "resources", uri, (uri) => unknownName("resource", uri))
      }
      default:
        return undefined
    }
  }

  /** A key that is no text may become one at the server, so it is never offered. */
  #unless(kind: Kind, key: unknown, unknown: (key: string) => Unknown): Unknown | undefined {
    if (this.#isOpen(kind)) return undefined
    if (!Predicate.isString(key)) return unknown("")
    return this.has(kind, key) ? undefined : unknown(key)
  }

  passes({ method, params }: ServerNotification): boolean {
    if (this.isAll || method !== "notifications/resources/updated") return true
    const uri: unknown = Predicate.isRecord(params) ? params["uri"] : undefined
    return this.#isOpen("resources") || (Predicate.isString(uri) && this.has("resources", uri))
  }

  /** `undefined` where that is not known. */
  get hidden(): { readonly [K in Kind]: number } | undefined {
    return this.#hidden
  }

  announce(notification: ServerNotification): void {
    for (const listener of this.#announced) listener(notification)
  }

  /** Must not throw. Returns what ends it. */
  onAnnounced(listener: (notification: ServerNotification) => void): () => void {
    this.#announced.add(listener)
    return () => this.#announced.delete(listener)
  }

  end(): void {
    this.#announced.clear()
  }
}
