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
  /** In order. */
  #sources: ReadonlyMap<string, Claim.Source> = new Map()
  readonly #wanting = byKind((): Claim.Claims => new Map())
  readonly #yielding = byKind((): Claim.Claims => new Map())
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
    for (const kind of kinds) for (const claims of [this.#wanting, this.#yielding]) claims[kind].clear()
    for (const source of placed) {
      this.#dirty.add(source)
      for (const kind of kinds) for (const claim of source.claims[kind]) this.#place(claim, Claim.add)
    }
  }

  rename(source: Claim.Source, prefix: string): void {
    if (source.prefix === prefix) return
    if (source.position >= 0) this.#take(source)
    source.prefix = prefix
    this.#dropWithdrawn(source)
    source.share = undefined
    this.#dirty.add(source)
    for (const kind of ["tools", "prompts"] as const) {
      const before = source.claims[kind]
      for (const claim of before) this.#leave(claim)
      const claims = before.map(({ index, original, value }) => Claim.make(source, kind, original, index, value))
      for (const claim of claims) this.#place(claim, Claim.add)
      source.claims = { ...source.claims, [kind]: claims }
    }
  }

  isBefore(id: string, other: string): boolean {
    return (this.#sources.get(id)?.position ?? -1) < (this.#sources.get(other)?.position ?? -1)
  }

  prefixOf(id: string): string {
    return this.#sources.get(id)?.prefix ?? Names.prefixOf(id)
  }

  get catalog(): Catalogue {
    for (const source of this.#news) this.#take(source)
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
    const backend = catalog.resourceTemplates.get(name)?.backend ?? Claim.matching(this.#templates, name)?.source.id
    return backend === undefined ? undefined : { backend, original: name }
  }

  withdrawn(kind: Names.Routed, name: string): ReadonlyArray<Destination> {
    return this.#withdrawn.get(`wanted ${kind} ${name}`) ?? []
  }

  #take(source: Claim.Source): void {
    const { latest, taken } = source
    if (latest === taken) return
    source.taken = latest
    this.#dirty.add(source)
    for (const kind of kinds) if (latest?.[kind] !== taken?.[kind]) this.#claim(source, kind, latest?.[kind] ?? [])
    if (latest !== undefined) this.#dropWithdrawn(source)
    else for (const kind of routed) this.#withdraw(source, kind)
  }

  #claim(source: Claim.Source, kind: Kind, values: ReadonlyArray<object>): void {
    const old = source.claims[kind]
    const known = new Map(old.map((claim) => [claim.original, claim]))
    const next = values.map((value, index) => {
      const name = Claim.originalOf(kind, value)
      const claim = known.get(name)
      known.delete(name)
      return claim ?? Claim.make(source, kind, name, index, value)
    })
    const before = new Set(old)
    const staying = next.filter((claim) => before.has(claim))
    const inOrder = staying.every(({ index }, i) => i === 0 || staying[i - 1]!.index < index)
    const kept = new Set(inOrder ? staying : [])
    for (const claim of old) if (!kept.has(claim)) this.#leave(claim)
    for (const [index, claim] of next.entries()) {
      claim.index = index
      claim.value = values[index]!
    }
    for (const claim of next) if (!kept.has(claim)) this.#place(claim, Claim.add)
    source.claims = { ...source.claims, [kind]: next }
  }

  #forget(source: Claim.Source, successor: Claim.Source | undefined): void {
    source.latest = undefined
    this.#take(source)
    if (successor === undefined) this.#dropWithdrawn(source)
    else successor.withdrawn = source.withdrawn
    source.position = -1
    source.share = undefined
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

  #leave(claim: Claim.Claim): void {
    this.#free(claim)
    this.#place(claim, Claim.remove)
  }

  #place(claim: Claim.Claim, change: typeof Claim.add): void {
    const { isReserved, kind, source, wanted } = claim
    this.#dirty.add(source)
    if (isReserved) return
    const { after, before } = change(this.#wanting[kind], wanted, claim)
    if (after !== claim && before !== claim) return this.#yield(claim, change)
    // The former or the next holder: an entry that wants it, or one that has it as its other name.
    const other = before === claim ? after : before
    if (other !== undefined) this.#yield(other, change)
    else this.#touch(Claim.first(this.#yielding[kind], wanted))
  }

  #yield(claim: Claim.Claim, change: typeof Claim.add): void {
    this.#touch(claim)
    const other = Claim.otherOf(claim)
    if (other === undefined) return
    const { after, before } = change(this.#yielding[claim.kind], other, claim)
    this.#touch(before)
    this.#touch(after)
  }

  #touch(claim: Claim.Claim | undefined): void {
    if (claim !== undefined) this.#dirty.add(claim.source)
  }

  #keyOf(claim: Claim.Claim): string | undefined {
    const { isReserved, kind, wanted } = claim
    if (isReserved) return undefined
    if (Claim.first(this.#wanting[kind], wanted) === claim) return wanted
    const other = Claim.otherOf(claim)
    return other !== undefined && !this.#wanting[kind].has(other) && Claim.first(this.#yielding[kind], other) === claim
      ? other
      : undefined
  }

  #free(claim: Claim.Claim): void {
    if (claim.held !== undefined && claim.kind === "resourceTemplates") Claim.removeTemplate(this.#templates, claim)
    claim.held = undefined
  }

  #divide(source: Claim.Source): void {
    const { id, taken } = source
    if (taken === undefined) {
      source.share = undefined
      return
    }
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
        if (claim.held?.key !== key) this.#free(claim)
        const { held: before, original, value, wanted } = claim
        const plain = Claim.plainOf(claim)
        if (key !== plain) renamed.push({ kind, key, original, plain, wanted })
        if (key === undefined) return []
        const made = kind === "tools" ? Addresses.inDefinition(value, address) : value
        const isMade = before?.made === made || (made !== value && same(before?.made, made))
        if (before !== undefined && isMade && before.entry.stale === taken.stale) return [[key, before.entry] as const]
        if (before === undefined && kind === "resourceTemplates") Claim.addTemplate(this.#templates, claim)
        const named = Claim.namedOnce(kind, made, key) as never
        const entry: Entry<never> = { backend: id, original, stale: taken.stale, value: named }
        claim.held = { key, entry, made }
        return [[key, entry] as const]
      })
    const entries = byKind(entriesOf) as Share["entries"]
    source.share = { backend: id, entries, renamed, snapshot: taken, prefix: source.prefix, problems: taken.problems }
  }
}

const routed: ReadonlyArray<Names.Routed> = ["tools", "prompts", "resources"]
