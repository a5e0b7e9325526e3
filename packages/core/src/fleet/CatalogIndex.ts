/**
 * Who has which name in a fleet: keeps the catalogue up to date with the snapshots of the backends, and finds the backend of a
 * name. One changed snapshot costs time in proportion to that backend's own entries; a lookup costs the same however many
 * backends there are.
 *
 * The rule: each entry wants its full name or its URI, and the first backend in order has it. An entry that does not get
 * what it wants has its other name, unless somebody wants that one; the first of several has it. Who wants what is Lifeline's own has
 * none.
 */
import { HashMap } from "effect"
import type { Kind, Snapshot } from "../catalog/Catalog.js"
import { byKind, kinds } from "../catalog/kinds.js"
import { Claim, Claims, namingOf, type Owner, Templates } from "./Claim.js"
import { type ByKey, Catalogue, type Displaced, type Entry, type Share } from "./FleetCatalog.js"
import * as Names from "./names.js"

/** The kinds of entry that calls are routed by. */
export type Routed = "tools" | "prompts" | "resources"

/** Where a name leads. */
export interface Destination {
  readonly backend: string
  /** The name (or URI) there. */
  readonly original: string
}

/** An entry under a key. */
interface Held {
  readonly kind: Kind
  readonly key: string
  readonly entry: Entry<never>
}

/** The index of one fleet. All of it is synchronous; only its own methods change it. */
export class CatalogIndex {
  #owners: ReadonlyArray<Owner> = []
  #byId: ReadonlyMap<string, Owner> = new Map()
  /** Who wants a name. */
  #wanting = byKind(() => new Claims())
  /** Who claims a name because another has the wanted one. */
  #yielding = byKind(() => new Claims())
  readonly #templates = new Templates()
  /** Where names led that are withdrawn now, so that their calls can say why they fail. */
  readonly #withdrawn = new Map<string, ReadonlyArray<Destination>>()
  /** Backends that were given a snapshot since the catalogue was made. */
  readonly #news = new Set<Owner>()
  /** Backends whose share is to be made anew. */
  readonly #dirty = new Set<Owner>()
  #freed: Array<Held> = []
  #arranged = false
  #byKey: ByKey = byKind(() => HashMap.empty<string, Entry<never>>())
  #made = new Catalogue(0, [], this.#byKey)

  /** Gives the snapshot of a backend, which may be placed later. It is taken when somebody reads the catalogue. */
  offer(owner: Owner, snapshot: Snapshot | undefined): void {
    owner.latest = snapshot
    if (owner.position >= 0) this.#news.add(owner)
  }

  /**
   * Places the backends of the fleet in their order, and forgets those that are not among them. One that takes the place of
   * another of its id gets the other's names until it has a snapshot.
   */
  arrange(owners: ReadonlyArray<Owner>): void {
    const staying = new Set(owners)
    const byId = new Map(owners.map((owner) => [owner.id, owner]))
    for (const owner of this.#owners) if (!staying.has(owner)) this.#forget(owner, byId.get(owner.id))
    const placed = owners.filter(({ position }) => position >= 0)
    const moved = placed.some(({ position }, i) => position < (placed[i - 1]?.position ?? -1))
    for (const owner of owners) if (owner.position < 0) this.#news.add(owner)
    for (const [position, owner] of owners.entries()) owner.position = position
    this.#owners = owners
    this.#byId = byId
    this.#arranged = true
    if (!moved) return
    this.#wanting = byKind(() => new Claims())
    this.#yielding = byKind(() => new Claims())
    for (const owner of placed) {
      this.#dirty.add(owner)
      for (const kind of kinds) for (const claim of owner.claims[kind]) this.#enter(claim)
    }
  }

  /** The catalogue of the snapshots that were given. The same object as before where it is the same. */
  get catalog(): Catalogue {
    for (const owner of this.#news) this.#take(owner)
    this.#news.clear()
    if (this.#dirty.size === 0 && !this.#arranged) return this.#made
    const held: Array<Held> = []
    for (const owner of this.#dirty) this.#divide(owner, held)
    const shares = this.#owners.flatMap(({ share }) => share ?? [])
    this.#dirty.clear()
    this.#arranged = false
    const before = this.#made
    if (shares.length === before.shares.length && shares.every((share, i) => share === before.shares[i])) return before
    this.#byKey = moved(this.#byKey, this.#freed, held)
    this.#freed = []
    return this.#made = new Catalogue(before.revision + 1, shares, this.#byKey)
  }

  /** Where a name (or URI) leads, if anywhere. */
  route(kind: Routed, name: string): Destination | undefined {
    const { catalog } = this
    const scoped = kind === "resources" ? Names.parseScopedUri(name) : undefined
    // First of all: no server may list such a URI and be asked in place of the one that it names.
    if (scoped !== undefined && this.#byId.has(scoped.backend)) {
      return { backend: scoped.backend, original: scoped.uri }
    }
    if (Names.isReserved(kind, name)) return undefined
    const known = catalog[kind].get(name) ?? this.#withdrawn.get(`${kind} ${name}`)?.[0]
    if (known !== undefined) return { backend: known.backend, original: known.original }
    if (kind !== "resources") return undefined
    const backend = catalog.resourceTemplates.get(name)?.backend ?? this.#templates.match(name)?.owner.id
    return backend === undefined ? undefined : { backend, original: name }
  }

  /** Takes the snapshot of a backend: its claims follow its lists, and those that stay keep their names. */
  #take(owner: Owner): void {
    const { latest, taken } = owner
    if (latest === taken) return
    owner.taken = latest
    this.#dirty.add(owner)
    for (const kind of kinds) if (latest?.[kind] !== taken?.[kind]) this.#claim(owner, kind, latest?.[kind] ?? [])
    if (latest !== undefined) this.#dropWithdrawn(owner)
    else for (const kind of routed) this.#withdraw(owner, kind)
  }

  #claim<K extends Kind>(owner: Owner, kind: K, values: ReadonlyArray<unknown>): void {
    const { original } = namingOf(kind)
    const old = owner.claims[kind]
    const known = new Map(old.map((claim) => [claim.original, claim]))
    const next = values.map((value, index) => {
      const name = original(value)
      const claim = known.get(name)
      known.delete(name)
      return claim ?? new Claim(owner, kind, name, index, value)
    })
    const staying = next.filter((claim) => claim.entered)
    const inOrder = staying.every(({ index }, i) => i === 0 || staying[i - 1]!.index < index)
    const kept = new Set(inOrder ? staying : [])
    for (const claim of old) if (!kept.has(claim)) this.#leave(claim)
    for (const [index, claim] of next.entries()) {
      claim.index = index
      claim.value = values[index]
    }
    for (const claim of next) if (!claim.entered) this.#enter(claim)
    owner.claims = { ...owner.claims, [kind]: next }
  }

  #forget(owner: Owner, successor: Owner | undefined): void {
    owner.latest = undefined
    this.#take(owner)
    if (successor === undefined) this.#dropWithdrawn(owner)
    else successor.withdrawn = owner.withdrawn
    owner.position = -1
    owner.share = undefined
    this.#news.delete(owner)
    this.#dirty.delete(owner)
  }

  #withdraw(owner: Owner, kind: Routed): void {
    for (const [name, { backend, original }] of owner.share?.entries[kind] ?? []) {
      const key = `${kind} ${name}`
      this.#withdrawn.set(key, [...this.#withdrawn.get(key) ?? [], { backend, original }])
      owner.withdrawn.push(key)
    }
  }

  #dropWithdrawn(owner: Owner): void {
    for (const name of owner.withdrawn) {
      const others = (this.#withdrawn.get(name) ?? []).filter(({ backend }) => backend !== owner.id)
      if (others.length === 0) this.#withdrawn.delete(name)
      else this.#withdrawn.set(name, others)
    }
    owner.withdrawn = []
  }

  // --- claims

  #enter(claim: Claim): void {
    const { kind, owner, wanted } = claim
    claim.entered = true
    this.#dirty.add(owner)
    if (claim.isReserved) return
    const { before, isFirst } = this.#wanting[kind].add(wanted, claim)
    if (!isFirst) return this.#yield(claim)
    // Whoever had it gives it up: the one that wanted it, too, or one that had it for its other name.
    if (before !== undefined) this.#yield(before)
    else this.#touch(this.#yielding[kind].first(wanted))
  }

  #leave(claim: Claim): void {
    const { kind, owner, wanted } = claim
    claim.entered = false
    this.#dirty.add(owner)
    if (claim.isReserved) return
    this.#free(claim)
    const { after, wasFirst } = this.#wanting[kind].remove(wanted, claim)
    if (!wasFirst) return this.#unyield(claim)
    if (after !== undefined) this.#unyield(after)
    else this.#touch(this.#yielding[kind].first(wanted))
  }

  /** A claim does not get the name that it wants: it claims its other one. */
  #yield(claim: Claim): void {
    const { kind, other } = claim
    this.#touch(claim)
    if (other !== undefined) this.#touch(this.#yielding[kind].add(other, claim).before)
  }

  /** A claim gets the name that it wants, or goes: it does not claim its other one any more. */
  #unyield(claim: Claim): void {
    const { kind, other } = claim
    this.#touch(claim)
    if (other !== undefined) this.#touch(this.#yielding[kind].remove(other, claim).after)
  }

  #touch(claim: Claim | undefined): void {
    if (claim !== undefined) this.#dirty.add(claim.owner)
  }

  #keyOf(claim: Claim): string | undefined {
    const { isReserved, kind, wanted } = claim
    if (isReserved) return undefined
    if (this.#wanting[kind].first(wanted) === claim) return wanted
    const { other } = claim
    return other !== undefined && !this.#wanting[kind].has(other) && this.#yielding[kind].first(other) === claim
      ? other
      : undefined
  }

  // --- shares

  /** An entry has its name no more. */
  #free(claim: Claim): void {
    const { entry, key, kind } = claim
    if (key === undefined || entry === undefined) return
    this.#freed.push({ kind, key, entry })
    if (kind === "resourceTemplates") this.#templates.remove(claim)
    claim.key = undefined
    claim.entry = undefined
  }

  /** Makes the share of a backend, and adds to `held` the names that it did not have before, or for another entry. */
  #divide(owner: Owner, held: Array<Held>): void {
    const { id, taken } = owner
    if (taken === undefined) {
      owner.share = undefined
      return
    }
    const displaced: Array<Displaced> = []
    const entriesOf = (kind: Kind): ReadonlyArray<readonly [string, Entry<never>]> =>
      owner.claims[kind].flatMap((claim) => {
        const key = this.#keyOf(claim)
        if (claim.key !== key) this.#free(claim)
        const { original, value, wanted } = claim
        if (key !== wanted) displaced.push({ kind, key, original, wanted })
        if (key === undefined) return []
        if (claim.entry === undefined || claim.made !== value || claim.entry.stale !== taken.stale) {
          if (claim.key === undefined && kind === "resourceTemplates") this.#templates.add(claim)
          const named = namingOf(kind).named(value, key) as never
          claim.entry = { backend: id, original, stale: taken.stale, value: named }
          claim.made = value
          claim.key = key
          held.push({ kind, key, entry: claim.entry })
        }
        return [[key, claim.entry] as const]
      })
    const [tools, prompts, resources, resourceTemplates] = kinds.map(entriesOf)
    const entries = { tools, prompts, resources, resourceTemplates } as Share["entries"]
    owner.share = { backend: id, entries, displaced, problems: taken.problems }
  }
}

const routed: ReadonlyArray<Routed> = ["tools", "prompts", "resources"]

/** The entries by key, without those that lost their key and with those that got one. */
const moved = (known: ByKey, freed: ReadonlyArray<Held>, held: ReadonlyArray<Held>): ByKey =>
  byKind((kind) =>
    HashMap.mutate(known[kind] as HashMap.HashMap<string, Entry<never>>, (map) => {
      // Whoever has the key now is among those that got one.
      for (const one of freed) if (one.kind === kind) HashMap.remove(map, one.key)
      for (const one of held) if (one.kind === kind) HashMap.set(map, one.key, one.entry)
    })
  )
