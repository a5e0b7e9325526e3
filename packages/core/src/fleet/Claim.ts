/** Who has a name that several want: the first of its bids, in the order of the backends. */
import type { Kind, Snapshot } from "../catalog/Catalog.js"
import { byKind, keys } from "../catalog/Kind.js"
import * as Template from "../catalog/Template.js"
import type { Entry, Share } from "./FleetCatalog.js"
import * as Names from "./names.js"

export const originalOf = (kind: Kind, value: unknown): string => (value as Record<string, string>)[keys[kind]]!

export const wantedOf = ({ id, prefix }: Source, kind: Kind, original: string): string =>
  kind === "tools" || kind === "prompts" ? Names.fullName(id, original, prefix) : original

const named = new WeakMap<object, Map<string, unknown>>()

/** The same object in all indexes. */
export const namedOnce = (kind: Kind, value: object, key: string): unknown => {
  if (originalOf(kind, value) === key) return value
  const known = named.get(value) ?? new Map<string, unknown>()
  named.set(value, known)
  if (!known.has(key)) known.set(key, { ...value, [keys[kind]]: key })
  return known.get(key)
}

export interface Claim {
  readonly source: Source
  readonly kind: Kind
  readonly original: string
  readonly wanted: string
  index: number
  value: object
  held: { readonly key: string; readonly entry: Entry<never>; readonly made: unknown } | undefined
}

const nothing: Source["claims"] = byKind(() => [])

export class Source {
  readonly id: string
  prefix: string
  /** -1: not placed. */
  position = -1
  latest: Snapshot | undefined
  taken: Snapshot | undefined
  claims: { readonly [K in Kind]: ReadonlyArray<Claim> } = nothing
  share: Share | undefined
  withdrawn: Array<string> = []

  constructor(id: string) {
    this.id = id
    this.prefix = Names.prefixOf(id)
  }
}

export const make = (source: Source, kind: Kind, original: string, index: number, value: object): Claim => {
  return { source, kind, original, wanted: wantedOf(source, kind, original), index, value, held: undefined }
}

export const plainOf = ({ kind, original, source }: Claim): string =>
  kind === "tools" || kind === "prompts" ? source.prefix + original : original

export const otherOf = ({ kind, original, source }: Claim): string | undefined => {
  if (kind === "resourceTemplates") return undefined
  return kind === "resources" ? Names.scopedUri(source.id, original) : Names.otherName(source.id, original)
}

const order = (a: Claim, b: Claim): number => a.source.position - b.source.position || a.index - b.index

/** By a name: those that want it, in order; then those that have lost theirs and can have it, in order. The first has it. */
export type Bids = Map<string, Array<Claim>>

export type Change = readonly [before: Claim | undefined, after: Claim | undefined]

export const change = (bids: Bids, key: string, claim: Claim, isAdded: boolean): Change => {
  const all = bids.get(key) ?? []
  const [before] = all
  const at = placeOf(all, key, claim)
  if (!isAdded) all.splice(at, 1)
  // A list that has grown keeps room for sixteen.
  else if (before === undefined) bids.set(key, [claim])
  else all.splice(at, 0, claim)
  if (all.length === 0 && !isAdded) bids.delete(key)
  return [before, bids.get(key)?.[0]]
}

const placeOf = (bids: ReadonlyArray<Claim>, key: string, claim: Claim): number => {
  const rank = ({ wanted }: Claim): number => Number(wanted !== key)
  let [low, high] = [0, bids.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const one = bids[middle]!
    if ((rank(one) - rank(claim) || order(one, claim)) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** By the length of their literal beginning, and by that. */
export type Templates = Map<number, Map<string, Set<string>>>

export const addTemplate = (templates: Templates, template: string): void => {
  const prefix = Template.prefixOf(template)
  const byPrefix = templates.get(prefix.length) ?? new Map<string, Set<string>>()
  const all = byPrefix.get(prefix) ?? new Set()
  templates.set(prefix.length, byPrefix.set(prefix, all.add(template)))
}

export const removeTemplate = (templates: Templates, template: string): void => {
  const prefix = Template.prefixOf(template)
  const byPrefix = templates.get(prefix.length)
  const all = byPrefix?.get(prefix)
  all?.delete(template)
  if (all?.size === 0) byPrefix?.delete(prefix)
  if (byPrefix?.size === 0) templates.delete(prefix.length)
}

export const matching = (templates: Templates, bids: Bids, uri: string): Claim | undefined => {
  let found: Claim | undefined
  for (const [length, byPrefix] of templates) {
    for (const template of byPrefix.get(uri.slice(0, length)) ?? []) {
      const claim = bids.get(template)![0]!
      if ((found === undefined || order(claim, found) < 0) && Template.matches(template, uri)) found = claim
    }
  }
  return found
}
