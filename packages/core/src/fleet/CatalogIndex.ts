/**
 * The first backend that wants a name has it: its own with the prefix. Others get their other name, unless that is wanted or taken
 * (`names`). A changed snapshot costs time in proportion to its entries.
 */
import type { Kind, Snapshot } from "../catalog/Catalog.js"
import { byKind, kinds } from "../catalog/Kind.js"
import { same } from "../internal/JsonValue.js"
import * as Addresses from "./Addresses.js"
import * as Claim from "./Claim.js"
import { Catalogue, type Entry, type Renamed, type Share } from "./FleetCatalog.js"
import * as Names from "./names.js"

export interface Destination {
  readonly backend: string
  readonly original: string
}

export class CatalogIndex {
  #sources: ReadonlyMap<string, Claim.Source> = new Map()
  readonly #bids = byKind((): Claim.Bids => new Map())
  readonly #templates: Claim.Templates = new Map()
  /** Where withdrawn names led, so that their calls can say why they fail. */
  readonly #withdrawn = new Map<string, ReadonlyArray<Destination>>()
  readonly #news = new Set<Claim.Source>()
  readonly #dirty = new Set<Claim.Source>()
  #made = { sources: this.#sources, catalog: Catalogue.empty }

  /** The snapshot is taken when the catalogue is read. */
  offer(source: Claim.Source, snapshot: Snapshot | undefined): void {
    source.latest = snapshot
    if (source.position >= 0) this.#news.add(source)
  }

  /** A backend that replaces another of its id keeps its names until it has a snapshot. */
  arrange(sources: ReadonlyArray<Claim.Source>): void {
    const byId = new Map(sources.map((source) => [source.id, source]))
    for (const [id, source] of this.#sources) if (byId.get(id) !== source) this.#forget(source, byId.get(id))
    const placed = sources.filter(({ position }) => position >= 0)
    const moved = placed.some(({ position }, i) => position < (placed[i - 1]?.position ?? -1))
    for (const source of sources) if (source.position < 0) this.#news.add(source)
    for (const [position, source] of sources.entries()) source.position = position
    this.#sources = byId
    if (!moved) return
    this.#templates.clear()
    for (const kind of kinds) {
      this.#bids[kind].clear()
      for (const { claims } of placed) for (const claim of claims[kind]) this.#place(claim, true)
    }
  }

  rename(source: Claim.Source, prefix: string): void {
    if (source.prefix === prefix) return
    this.#take(source, undefined)
    this.#dropWithdrawn(source)
    source.prefix = prefix
    this.offer(source, source.latest)
  }

  isBefore(id: string, other: string): boolean {
    return (this.#sources.get(id)?.position ?? -1) < (this.#sources.get(other)?.position ?? -1)
  }

  prefixOf(id: string): string {
    return this.#sources.get(id)?.prefix ?? Names.prefixOf(id)
  }

  get catalog(): Catalogue {
    for (const source of this.#news) this.#take(source, source.latest)
    this.#news.clear()
    if (this.#dirty.size === 0 && this.#made.sources === this.#sources) return this.#made.catalog
    for (const source of this.#dirty) this.#divide(source)
    this.#dirty.clear()
    // flatMap takes many times as long.
    const shares: Array<Share> = []
    for (const { share } of this.#sources.values()) if (share !== undefined) shares.push(share)
    this.#made = { sources: this.#sources, catalog: this.#made.catalog.with(shares) }
    return this.#made.catalog
  }

  route(kind: Names.Routed, name: string): Destination | undefined {
    const { catalog } = this
    const scoped = kind === "resources" ? Names.parseScopedUri(name) : undefined
    // First: no server may list such a URI and be asked in place of the server that it names.
    if (scoped !== undefined && this.#sources.has(scoped.backend)) {
      return { backend: scoped.backend, original: scoped.uri }
    }
    if (Names.isReserved(kind, name)) return undefined
    const known = catalog[kind].get(name) ?? this.#withdrawn.get(`${kind} ${name}`)?.[0]
    if (known !== undefined) return { backend: known.backend, original: known.original }
    if (kind !== "resources") return undefined
    const matching = Claim.matching(this.#templates, this.#bids.resourceTemplates, name)
    const backend = catalog.resourceTemplates.get(name)?.backend ?? matching?.source.id
    return backend === undefined ? undefined : { backend, original: name }
  }

  withdrawn(kind: Names.Routed, name: string): ReadonlyArray<Destination> {
    return this.#withdrawn.get(`wanted ${kind} ${name}`) ?? []
  }

  #take(source: Claim.Source, latest: Snapshot | undefined): void {
    const { taken } = source
    if (latest === taken) return
    source.taken = latest
    this.#dirty.add(source)
    for (const kind of kinds) if (latest?.[kind] !== taken?.[kind]) this.#claim(source, kind, latest?.[kind] ?? [])
    if (latest !== undefined) return this.#dropWithdrawn(source)
    for (const kind of routed) this.#withdraw(source, kind)
    source.share = undefined
  }

  #claim(source: Claim.Source, kind: Kind, values: ReadonlyArray<object>): void {
    const old = source.claims[kind]
    const known = new Map(old.map((claim) => [claim.original, claim]))
    const kept = new Set<Claim.Claim>()
    let last = -1
    const next = values.map((value, index) => {
      const name = Claim.originalOf(kind, value)
      const claim = known.get(name)
      if (claim === undefined) return Claim.make(source, kind, name, index, value)
      known.delete(name)
      if (claim.index > last) kept.add(claim)
      last = Math.max(last, claim.index)
      return claim
    })
    for (const claim of old) if (!kept.has(claim)) this.#place(claim, false)
    for (const [index, claim] of next.entries()) {
      claim.index = index
      claim.value = values[index]!
    }
    for (const claim of next) if (!kept.has(claim)) this.#place(claim, true)
    source.claims = { ...source.claims, [kind]: next }
  }

  #forget(source: Claim.Source, successor: Claim.Source | undefined): void {
    source.latest = undefined
    this.#take(source, undefined)
    if (successor === undefined) this.#dropWithdrawn(source)
    else successor.withdrawn = source.withdrawn
    source.position = -1
    this.#news.delete(source)
    this.#dirty.delete(source)
  }

  #withdraw(source: Claim.Source, kind: Names.Routed): void {
    const add = (key: string, original: string): void => {
      this.#withdrawn.set(key, [...this.#withdrawn.get(key) ?? [], { backend: source.id, original }])
      source.withdrawn.push(key)
    }
    for (const [name, { original }] of source.share?.entries[kind] ?? []) add(`${kind} ${name}`, original)
    for (const value of source.share?.snapshot[kind] ?? []) {
      const original = Claim.originalOf(kind, value)
      add(`wanted ${kind} ${Claim.wantedOf(source, kind, original)}`, original)
    }
  }

  #dropWithdrawn(source: Claim.Source): void {
    for (const name of source.withdrawn) {
      const others = (this.#withdrawn.get(name) ?? []).filter(({ backend }) => backend !== source.id)
      if (others.length === 0) this.#withdrawn.delete(name)
      else this.#withdrawn.set(name, others)
    }
    source.withdrawn = []
  }

  /** Who has not got what it wants bids for its other name. */
  #place(claim: Claim.Claim, isAdded: boolean): void {
    const { kind, source, wanted } = claim
    this.#dirty.add(source)
    if (Names.isReserved(kind, wanted)) return
    const [before, after] = this.#bid(claim, wanted, isAdded)
    if (kind === "resourceTemplates" && before === undefined) Claim.addTemplate(this.#templates, wanted)
    if (kind === "resourceTemplates" && after === undefined) Claim.removeTemplate(this.#templates, wanted)
    const loser = after === claim ? before : before === claim ? after : claim
    const other = loser?.wanted === wanted ? Claim.otherOf(loser) : undefined
    if (loser !== undefined && other !== undefined) this.#bid(loser, other, isAdded)
  }

  #bid(claim: Claim.Claim, key: string, isAdded: boolean): Claim.Change {
    const change = Claim.change(this.#bids[claim.kind], key, claim, isAdded)
    const [before, after] = change
    for (const one of before === after ? [claim] : change) if (one !== undefined) this.#dirty.add(one.source)
    return change
  }

  #keyOf(claim: Claim.Claim): string | undefined {
    const has = (key: string | undefined) => key !== undefined && this.#bids[claim.kind].get(key)?.[0] === claim
    if (has(claim.wanted)) return claim.wanted
    const other = Claim.otherOf(claim)
    return has(other) ? other : undefined
  }

  #divide(source: Claim.Source): void {
    const { id, taken } = source
    if (taken === undefined) return
    const renamed: Array<Renamed> = []
    const listed = new Map(source.claims.resources.map((claim) => [claim.original, claim]))
    const address = (uri: string): string => {
      const claim = listed.get(uri)
      if (claim === undefined && !uri.startsWith("ui://")) return uri
      return (claim && this.#keyOf(claim)) ?? Names.scopedUri(id, uri) ?? uri
    }
    const entriesOf = (kind: Kind): ReadonlyArray<readonly [string, Entry<never>]> =>
      source.claims[kind].flatMap((claim) => {
        const key = this.#keyOf(claim)
        const { held, original, value, wanted } = claim
        const plain = Claim.plainOf(claim)
        if (key !== plain) renamed.push({ kind, key, original, plain, wanted })
        if (key === undefined) return []
        const made = kind === "tools" ? Addresses.inDefinition(value, address) : value
        const isMade = held?.made === made || (made !== value && same(held?.made, made))
        if (isMade && held?.key === key && held.entry.stale === taken.stale) return [[key, held.entry] as const]
        const named = Claim.namedOnce(kind, made, key) as never
        const entry: Entry<never> = { backend: id, original, stale: taken.stale, value: named }
        claim.held = { key, entry, made }
        return [[key, entry] as const]
      })
    const entries = byKind(entriesOf) as Share["entries"]
    source.share = { backend: id, entries, renamed, snapshot: taken, prefix: source.prefix }
  }
}

const routed: ReadonlyArray<Names.Routed> = ["tools", "prompts", "resources"]
