import type { Kind, Snapshot } from "../catalog/Catalog.js"
import { byKind } from "../catalog/Kind.js"
import * as Template from "../catalog/Template.js"
import type { Entry, Offered, Share } from "./FleetCatalog.js"
import * as Names from "./names.js"
import * as Prefix from "./Prefix.js"

interface Naming<A> {
  readonly original: (value: A) => string
  readonly wanted: (backend: string, original: string, prefix: string) => string
  readonly other: (backend: string, original: string) => string | undefined
  readonly named: (value: A, key: string) => A
}

const byName = {
  original: ({ name }: { readonly name: string }) => name,
  wanted: Names.fullName,
  other: Names.otherName
}

const naming: { readonly [K in Kind]: Naming<Offered[K]> } = {
  tools: { ...byName, named: (tool, name) => ({ ...tool, name }) },
  prompts: { ...byName, named: (prompt, name) => ({ ...prompt, name }) },
  resources: {
    original: ({ uri }) => uri,
    wanted: (_, uri) => uri,
    other: Names.scopedUri,
    named: (resource, uri) => ({ ...resource, uri })
  },
  resourceTemplates: {
    original: ({ uriTemplate }) => uriTemplate,
    wanted: (_, template) => template,
    other: () => undefined,
    named: (template) => template
  }
}

export const namingOf = (kind: Kind): Naming<unknown> => naming[kind] as Naming<unknown>

const named = new WeakMap<object, Map<string, unknown>>()

/** The same object in all indexes. */
export const namedOnce = (kind: Kind, value: unknown, key: string): unknown => {
  if (typeof value !== "object" || value === null) return namingOf(kind).named(value, key)
  const known = named.get(value) ?? new Map<string, unknown>()
  named.set(value, known)
  if (!known.has(key)) known.set(key, namingOf(kind).named(value, key))
  return known.get(key)
}

export class Claim {
  readonly source: CatalogSource
  readonly kind: Kind
  readonly original: string
  readonly wanted: string
  readonly isReserved: boolean
  entered = false
  index: number
  value: unknown
  made: unknown
  key: string | undefined
  entry: Entry<never> | undefined
  #other: { readonly name: string | undefined } | undefined

  constructor(source: CatalogSource, kind: Kind, original: string, index: number, value: unknown) {
    this.source = source
    this.kind = kind
    this.original = original
    this.index = index
    this.value = value
    this.wanted = namingOf(kind).wanted(source.id, original, source.prefix)
    this.isReserved = Names.isReserved(kind, this.wanted)
  }

  /** As if hosts accepted every name. */
  get plain(): string {
    return this.kind === "tools" || this.kind === "prompts" ? this.source.prefix + this.original : this.original
  }

  get other(): string | undefined {
    this.#other ??= { name: namingOf(this.kind).other(this.source.id, this.original) }
    return this.#other.name
  }
}

const order = (a: Claim, b: Claim): number => a.source.position - b.source.position || a.index - b.index

export class Claims {
  readonly #byKey = new Map<string, Array<Claim>>()

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  first(key: string): Claim | undefined {
    return this.#byKey.get(key)?.[0]
  }

  add(key: string, claim: Claim): { readonly isFirst: boolean; readonly before: Claim | undefined } {
    const claims = this.#byKey.get(key)
    if (claims === undefined) {
      this.#byKey.set(key, [claim])
      return { isFirst: true, before: undefined }
    }
    const before = claims[0]
    const at = placeOf(claims, claim)
    claims.splice(at, 0, claim)
    return { isFirst: at === 0, before }
  }

  remove(key: string, claim: Claim): { readonly wasFirst: boolean; readonly after: Claim | undefined } {
    const claims = this.#byKey.get(key) ?? []
    const at = placeOf(claims, claim)
    if (claims[at] !== claim) return { wasFirst: false, after: claims[0] }
    claims.splice(at, 1)
    if (claims.length === 0) this.#byKey.delete(key)
    return { wasFirst: at === 0, after: claims[0] }
  }
}

const placeOf = (claims: ReadonlyArray<Claim>, claim: Claim): number => {
  let low = 0
  let high = claims.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order(claims[middle]!, claim) < 0) low = middle + 1
    else high = middle
  }
  return low
}

const nothing: ReadonlyArray<Claim> = []

export class CatalogSource {
  readonly id: string
  prefix: string
  /** -1: not placed. */
  position = -1
  latest: Snapshot | undefined
  taken: Snapshot | undefined
  claims: { readonly [K in Kind]: ReadonlyArray<Claim> } = byKind(() => nothing)
  share: Share | undefined
  withdrawn: Array<string> = []

  constructor(id: string) {
    this.id = id
    this.prefix = Prefix.of(id)
  }
}

export class Templates {
  readonly #byPrefix = new Map<string, Set<Claim>>()
  readonly #lengths = new Map<number, number>()

  add(claim: Claim): void {
    const prefix = Template.prefixOf(claim.original)
    const claims = this.#byPrefix.get(prefix)
    if (claims !== undefined) claims.add(claim)
    else {
      this.#byPrefix.set(prefix, new Set([claim]))
      this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1)
    }
  }

  remove(claim: Claim): void {
    const prefix = Template.prefixOf(claim.original)
    const claims = this.#byPrefix.get(prefix)
    if (claims?.delete(claim) !== true || claims.size > 0) return
    this.#byPrefix.delete(prefix)
    const left = (this.#lengths.get(prefix.length) ?? 0) - 1
    if (left > 0) this.#lengths.set(prefix.length, left)
    else this.#lengths.delete(prefix.length)
  }

  match(uri: string): Claim | undefined {
    let first: Claim | undefined
    for (const length of this.#lengths.keys()) {
      for (const claim of this.#byPrefix.get(uri.slice(0, length)) ?? []) {
        if ((first === undefined || order(claim, first) < 0) && Template.matches(claim.original, uri)) {
          first = claim
        }
      }
    }
    return first
  }
}
