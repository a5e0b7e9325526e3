/**
 * The lists of a fleet as clients are given them, encoded: each entry once for all clients, as long as its server says the same.
 */
import { Fleet } from "@mcp-lifeline/core"
import type { Tool } from "@modelcontextprotocol/sdk/types.js"
import type { ListMethod, lists } from "../listMethods.js"
import * as Offer from "./Offer.js"

/** One of the lists of the protocol. */
export type Kind = (typeof lists)[ListMethod]

/** The kinds of list of which clients are told that they have changed. */
export type Changing = "tools" | "prompts" | "resources"

const changing: ReadonlyArray<Changing> = ["tools", "prompts", "resources"]

/** The entries that were encoded; what is not offered has no text. */
const encoded = new WeakMap<object, string | undefined>()

const once = (value: object, encode: () => string | undefined): string | undefined => {
  if (encoded.has(value)) return encoded.get(value)
  const text = encode()
  encoded.set(value, text)
  return text
}

const textOf = (kind: Kind, value: object): string | undefined =>
  once(value, () => {
    const offered = kind === "tools" ? Offer.tool(value as Tool) : value
    return offered === undefined ? undefined : JSON.stringify(offered)
  })

/** The lists of one catalogue. */
export class Lists {
  readonly catalog: Fleet.FleetCatalog
  readonly #texts = new Map<Kind, string>()

  constructor(catalog: Fleet.FleetCatalog) {
    this.catalog = catalog
  }

  /** The entries of a list, separated by commas. */
  entries(kind: Kind): string {
    const known = this.#texts.get(kind)
    if (known !== undefined) return known
    const texts: Array<string> = []
    for (const { value } of this.catalog[kind].values()) {
      const text = textOf(kind, value)
      if (text !== undefined) texts.push(text)
    }
    const text = texts.join(",")
    this.#texts.set(kind, text)
    return text
  }

  /** The same beside the lists of another fleet, which has its names first: a resource is offered under another URI then. */
  entriesBeside(kind: Kind, others: Fleet.FleetCatalog): string {
    const own: ReadonlyMap<string, Fleet.Entry<object>> = this.catalog[kind]
    const taken = others[kind]
    if (![...own.keys()].some((key) => taken.has(key))) return this.entries(kind)
    return [...own].flatMap(([key, { backend, original, value }]) => {
      if (!taken.has(key)) return textOf(kind, value) ?? []
      const uri = kind === "resources" ? Fleet.scopedUri(backend, original) : undefined
      return uri === undefined ? [] : JSON.stringify({ ...value, uri })
    }).join(",")
  }

  /** Of which lists a client is to be told, who has those from `before`. Staleness is no difference. */
  changedSince(before: Lists): ReadonlyArray<Changing> {
    const same = (kind: Kind): boolean => before.entries(kind) === this.entries(kind)
    return changing.filter((kind) => !same(kind) || (kind === "resources" && !same("resourceTemplates")))
  }
}

/** The result that answers the method of a list. */
export const result = (kind: Kind, parts: ReadonlyArray<string>): string =>
  `{"${kind}":[${parts.filter((part) => part !== "").join(",")}]}`
