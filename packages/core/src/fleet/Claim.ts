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
  readonly isReserved: boolean
  index: number
  value: object
  held: { readonly key: string; readonly entry: Entry<never>; readonly made: unknown } | undefined
}

export interface Source {
  readonly id: string
  prefix: string
  /** -1: not placed. */
  position: number
  latest: Snapshot | undefined
  taken: Snapshot | undefined
  claims: { readonly [K in Kind]: ReadonlyArray<Claim> }
  share: Share | undefined
  withdrawn: Array<string>
}

const nothing: Source["claims"] = byKind(() => [])

export const sourceOf = (id: string): Source => ({
  id,
  prefix: Names.prefixOf(id),
  position: -1,
  latest: undefined,
  taken: undefined,
  claims: nothing,
  share: undefined,
  withdrawn: []
})

export const make = (source: Source, kind: Kind, original: string, index: number, value: object): Claim => {
  const wanted = wantedOf(source, kind, original)
  return { source, kind, original, wanted, isReserved: Names.isReserved(kind, wanted), index, value, held: undefined }
}

/** As if hosts accepted every name. */
export const plainOf = ({ kind, original, source }: Claim): string =>
  kind === "tools" || kind === "prompts" ? source.prefix + original : original

export const otherOf = ({ kind, original, source }: Claim): string | undefined => {
  if (kind === "resourceTemplates") return undefined
  return kind === "resources" ? Names.scopedUri(source.id, original) : Names.otherName(source.id, original)
}

const order = (a: Claim, b: Claim): number => a.source.position - b.source.position || a.index - b.index

/** In order, by a name that they want or can have. */
export type Claims = Map<string, Array<Claim>>

export interface Change {
  readonly before: Claim | undefined
  readonly after: Claim | undefined
}

export const first = (claims: Claims, key: string): Claim | undefined => claims.get(key)?.[0]

export const add = (claims: Claims, key: string, claim: Claim): Change => {
  const all = claims.get(key)
  const before = all?.[0]
  // A list that has grown keeps room for sixteen.
  if (all === undefined) claims.set(key, [claim])
  else all.splice(placeOf(all, claim), 0, claim)
  return { before, after: first(claims, key) }
}

export const remove = (claims: Claims, key: string, claim: Claim): Change => {
  const all = claims.get(key) ?? []
  const [before] = all
  const at = placeOf(all, claim)
  if (all[at] === claim) all.splice(at, 1)
  if (all.length === 0) claims.delete(key)
  return { before, after: all[0] }
}

const placeOf = (claims: ReadonlyArray<Claim>, claim: Claim): number => {
  let [low, high] = [0, claims.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order(claims[middle]!, claim) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** By the length of their literal beginning, and by that. */
export type Templates = Map<number, Map<string, Set<Claim>>>

export const addTemplate = (templates: Templates, claim: Claim): void => {
  const prefix = Template.prefixOf(claim.original)
  const byPrefix = templates.get(prefix.length) ?? new Map<string, Set<Claim>>()
  const claims = byPrefix.get(prefix) ?? new Set()
  templates.set(prefix.length, byPrefix.set(prefix, claims.add(claim)))
}

export const removeTemplate = (templates: Templates, claim: Claim): void => {
  const prefix = Template.prefixOf(claim.original)
  const byPrefix = templates.get(prefix.length)
  const claims = byPrefix?.get(prefix)
  claims?.delete(claim)
  if (claims?.size === 0) byPrefix?.delete(prefix)
  if (byPrefix?.size === 0) templates.delete(prefix.length)
}

export const matching = (templates: Templates, uri: string): Claim | undefined => {
  let found: Claim | undefined
  for (const [length, byPrefix] of templates) {
    for (const claim of byPrefix.get(uri.slice(0, length)) ?? []) {
      if ((found === undefined || order(claim, found) < 0) && Template.matches(claim.original, uri)) found = claim
    }
  }
  return found
}
