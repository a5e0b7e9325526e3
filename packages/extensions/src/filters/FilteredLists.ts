/** What callers are offered of what the server has (`hide`, `only`): every list, request and notification is held against it. (G19) */
import type { Catalog, Connection, Extension, ServerNotification } from "@mcp-lifeline/core"
import { Kind, Template } from "@mcp-lifeline/core/internal"
import { PlainText } from "@mcp-lifeline/core/text"
import { Predicate } from "effect"
import type { ListFilter as Given } from "../ExtensionOptions.js"
import { FilteredUris } from "./FilteredUris.js"
import * as ListFilter from "./ListFilter.js"

const { cut } = PlainText

const listMethods: Readonly<Record<string, Kind.Kind>> = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates"
}

const filterKey = (kind: Kind.Kind): ListFilter.Filtered => kind === "resourceTemplates" ? "resources" : kind

const unknownName = (what: string, name: string): Extension.Refusal => ({
  code: -32602,
  message: `Unknown ${what}: ${cut(name, 200)}`
})

const unknownUri = (uri: string): Extension.Refusal => ({
  code: -32002,
  message: "Resource not found",
  data: { uri: cut(uri, Kind.longestUri) }
})

const keyOf = (kind: Kind.Kind, entry: unknown): string | undefined => {
  const key = Predicate.isRecord(entry) ? entry[Kind.keys[kind]] : undefined
  return Predicate.isString(key) ? key : undefined
}

export type Filters = { readonly [K in ListFilter.Filtered]: ListFilter.ListFilter }

export const decode = (given: Partial<Readonly<Record<ListFilter.Filtered, Given | undefined>>>): Filters => ({
  tools: ListFilter.decode(given.tools),
  prompts: ListFilter.decode(given.prompts),
  resources: ListFilter.decode(given.resources)
})

/** How many entries of each list are hidden. */
export type Hidden = { readonly [K in Kind.Kind]: number }

interface Heard {
  /** After each reading of the lists. */
  readonly read: (unmatched: ReadonlyArray<ListFilter.Unmatched>) => void
  /** Where other numbers of entries are hidden. */
  readonly changed: () => void
}

type Listed = Catalog.Lists & Pick<Catalog.Snapshot, "truncated">

export class FilteredLists implements Extension.Offering {
  readonly #filters: Filters
  readonly #uris: FilteredUris
  readonly #heard: Heard | undefined
  /** As the server gave them. */
  #listed: Catalog.Lists | undefined
  #hidden: Hidden | undefined
  #unmatched: ReadonlyArray<ListFilter.Unmatched> = []

  constructor(filters: Filters, heard?: Heard) {
    this.#filters = filters
    this.#uris = new FilteredUris(filters.resources)
    this.#heard = heard
  }

  has(kind: Kind.Kind, key: string): boolean {
    if (this.#isOpen(kind)) return true
    return kind === "resources"
      ? this.#uris.has(key, this.#listed)
      : ListFilter.passes(this.#filters[filterKey(kind)], key)
  }

  #isOpen(kind: Kind.Kind): boolean {
    return ListFilter.isOpen(this.#filters[filterKey(kind)])
  }

  /** `from`: `has`, `hidden` and `unmatched` tell of these lists from now on. Where it offers a part itself, nobody knows what is hidden. */
  lists(lists: Listed, from?: Connection): Catalog.Lists {
    if (from !== undefined) this.#listed = lists // guard: hidden-by-what-is-listed
    const offered = Kind.byKind((kind) => this.#entries(kind, lists[kind])) as Catalog.Lists
    if (from !== undefined) {
      const isPart = from.isFiltered === true
      const hidden = isPart ? undefined : Kind.byKind((kind) => lists[kind].length - offered[kind].length)
      const isNew = Kind.kinds.some((kind) => hidden?.[kind] !== this.#hidden?.[kind])
      this.#hidden = hidden
      this.#unmatched = isPart ? [] : this.#unmatchedOf(lists)
      this.#heard?.read(this.#unmatched)
      if (isNew) this.#heard?.changed()
    }
    return offered
  }

  /** Of lists that were read to their end. */
  #unmatchedOf(lists: Listed): ReadonlyArray<ListFilter.Unmatched> {
    return ListFilter.filtered.flatMap((kind) => {
      const all: ReadonlyArray<Kind.Kind> = kind === "resources" ? ["resources", "resourceTemplates"] : [kind]
      if (all.some((one) => lists.truncated.includes(one))) return []
      const names = all.flatMap((one) => lists[one].map((entry) => keyOf(one, entry) ?? ""))
      return ListFilter.unmatched(kind, this.#filters[kind], names)
    })
  }

  #entries(kind: Kind.Kind, entries: ReadonlyArray<unknown>): ReadonlyArray<unknown> {
    const offered = entries.filter((entry) => {
      const key = keyOf(kind, entry)
      return key !== undefined && this.has(kind, key)
    })
    return offered.length === entries.length ? entries : offered
  }

  result<A>(method: string, result: A): A {
    const kind = Object.hasOwn(listMethods, method) ? listMethods[method] : undefined
    if (kind === undefined || !Predicate.isRecord(result)) return result
    const entries: unknown = result[kind]
    if (!Array.isArray(entries)) return result
    const offered = this.#entries(kind, entries)
    return offered === entries ? result : { ...result, [kind]: offered }
  }

  refusal(method: string, given: unknown): Extension.Refusal | undefined {
    const params: Readonly<Record<string, unknown>> = Predicate.isRecord(given) ? given : {}
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
  #unless(kind: Kind.Kind, key: unknown, unknown: (key: string) => Extension.Refusal): Extension.Refusal | undefined {
    if (this.#isOpen(kind)) return undefined
    if (!Predicate.isString(key)) return unknown("") // guard: no-text-is-refused
    return this.has(kind, key) ? undefined : unknown(key) // guard: hidden-is-refused
  }

  passes({ method, params }: ServerNotification): boolean {
    if (method !== "notifications/resources/updated") return true
    const uri: unknown = Predicate.isRecord(params) ? params["uri"] : undefined
    return this.#isOpen("resources") || (Predicate.isString(uri) && this.has("resources", uri))
  }

  /** `undefined` where that is not known. */
  get hidden(): Hidden | undefined {
    return this.#hidden
  }

  get unmatched(): ReadonlyArray<ListFilter.Unmatched> {
    return this.#unmatched
  }
}
