/** Each entry is encoded once for all clients, until its server changes it. */
import { Fleet } from "@mcp-lifeline/core"
import { Addresses, Routing } from "@mcp-lifeline/core/internal"
import { ExactJson } from "@mcp-lifeline/core/text"
import { type ListMethod, lists } from "@mcp-lifeline/protocol/listMethods"
import * as ObjectResults from "@mcp-lifeline/protocol/ObjectResults"
import * as TaskMarks from "@mcp-lifeline/protocol/TaskMarks"
import type { Access } from "../access/Access.js"

export type Kind = (typeof lists)[ListMethod]

export const kinds: ReadonlyArray<Kind> = Object.values(lists)

const encoded = new WeakMap<object, string>()

const textOf = (kind: Kind, value: object): string => {
  const text = encoded.get(value) ?? ExactJson.stringify(kind === "tools" ? TaskMarks.tool(value) : value)
  encoded.set(value, text)
  return text
}

/** Returns the same object if nothing in it is different. */
const withObjectResults = (lists: EncodedLists): EncodedLists => {
  const { catalog } = lists
  let isDifferent = false
  const tools = new Map([...catalog.tools].map(([name, entry]) => {
    const value = ObjectResults.tool(entry.value)
    isDifferent ||= value !== entry.value
    return [name, value === entry.value ? entry : { ...entry, value }]
  }))
  return isDifferent ? new EncodedLists({ ...catalog, tools, problems: [] }) : lists
}

export class EncodedLists {
  readonly catalog: Fleet.FleetCatalog
  /** For callers that may not use everything. */
  readonly #visible = Routing.perVisible((access) => new EncodedLists(Routing.namesOf(this.catalog, access).catalog))
  #withObjectResults: EncodedLists | undefined
  readonly #entries = new Map<Kind, string>()
  readonly #results = new Map<Kind, { readonly ownEntries: string; readonly text: string }>()

  constructor(catalog: Fleet.FleetCatalog) {
    this.catalog = catalog
  }

  /** Made once for all callers with the same rules. */
  visibleTo(access: Pick<Access, "isWhole" | "hasServer" | "hasTool">): EncodedLists {
    return access.isWhole ? this : this.#visible(access)
  }

  /** For clients of revisions before 2026-07-28. */
  get withObjectResults(): EncodedLists {
    return this.#withObjectResults ??= withObjectResults(this)
  }

  /**
   * Separated by commas. Entries of `others` take precedence: one with the same name or URI as theirs gets another one, or is left out if
   * that is taken, too.
   */
  entries(kind: Kind, others: ReadonlyArray<EncodedLists> = []): string {
    const own: ReadonlyMap<string, Fleet.Entry<object>> = this.catalog[kind]
    const displaced = this.displaced(kind, others)
    const resources = kind === "tools" ? this.displaced("resources", others) : displaced
    if (displaced.size + resources.size > 0) {
      return [...own].flatMap(([key, { value }]) => {
        const shown = kind === "tools" ? Addresses.inDefinition(value, (uri) => resources.get(uri) ?? uri) : value
        if (!displaced.has(key)) return textOf(kind, shown)
        const other = displaced.get(key)
        const renamed = kind === "resources" ? { ...shown, uri: other } : { ...shown, name: other }
        return other === undefined ? [] : textOf(kind, renamed)
      }).join(",")
    }
    const text = this.#entries.get(kind) ?? Array.from(own.values(), ({ value }) => textOf(kind, value)).join(",")
    this.#entries.set(kind, text)
    return text
  }

  /** Entries whose names or URIs `others` have, and what they are called instead, if anything. */
  displaced(kind: Kind, others: ReadonlyArray<EncodedLists>): ReadonlyMap<string, string | undefined> {
    const found = new Map<string, string | undefined>()
    if (others.length === 0) return found
    const own: ReadonlyMap<string, Fleet.Entry<object>> = this.catalog[kind]
    const isTaken = (key: string): boolean => others.some(({ catalog }) => catalog[kind].has(key))
    for (const [key, { backend, original }] of own) {
      if (!isTaken(key)) continue
      const other = kind === "resources"
        ? Fleet.scopedUri(backend, original)
        : kind === "resourceTemplates"
        ? undefined
        : Routing.otherName(backend, original)
      found.set(key, other === undefined || own.has(other) || isTaken(other) ? undefined : other)
    }
    return found
  }

  /** An entry that only became stale does not differ. */
  changedSince(before: EncodedLists): ReadonlyArray<Kind> {
    return kinds.filter((kind) =>
      !Routing.listsSame(kind, before.catalog, this.catalog, (a, b) => textOf(kind, a) === textOf(kind, b))
    )
  }

  /** Encoded once for all clients that have only these lists. `ownEntries`: those of the gateway itself. */
  result(kind: Kind, ownEntries: string): string {
    const known = this.#results.get(kind)
    if (known?.ownEntries === ownEntries) return known.text
    const text = result(kind, [this], ownEntries)
    this.#results.set(kind, { ownEntries, text })
    return text
  }
}

/** If several lists have an entry with the same name, the first list wins. */
export const result = (kind: Kind, all: ReadonlyArray<EncodedLists>, ownEntries: string): string => {
  const parts = [...all.map((lists, i) => lists.entries(kind, all.slice(0, i))), ownEntries]
  return `{"${kind}":[${parts.filter((part) => part !== "").join(",")}]}`
}
