import type { Prompt, Resource, ResourceTemplate, Tool } from "@modelcontextprotocol/sdk/types.js"
import { HashMap, Option } from "effect"
import type { Kind, Lists, Problem, Snapshot } from "../catalog/Catalog.js"
import { byKind, kinds } from "../catalog/Kind.js"
import { same } from "../internal/JsonValue.js"
import { cut } from "../observe/PlainText.js"
import * as Names from "./names.js"

/** `FleetCatalog` entry: where a name (or URI) leads. */
export interface Entry<A> {
  readonly backend: string
  /** Its name or URI there. */
  readonly original: string
  readonly stale: boolean
  /** Under its full name. */
  readonly value: A
}

/**
 * What all backends offer. Keys are full names or URIs, in the order of backends.
 *
 * Lookups cost the same however many there are. Iteration, and the first read of `problems`, take time in proportion to all
 * entries.
 */
export interface FleetCatalog {
  readonly revision: number
  readonly tools: ReadonlyMap<string, Entry<Tool>>
  readonly prompts: ReadonlyMap<string, Entry<Prompt>>
  readonly resources: ReadonlyMap<string, Entry<Resource>>
  readonly resourceTemplates: ReadonlyMap<string, Entry<ResourceTemplate>>
  readonly problems: ReadonlyArray<Problem>
}

export interface Difference {
  readonly revision: number
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
}

export type Offered = { readonly [K in Kind]: Lists[K][number] }

/** Without a key it is not offered. */
export interface Renamed {
  readonly kind: Kind
  readonly original: string
  readonly plain: string
  /** `plain` as hosts accept it. If the key differs, it is another backend's, or Lifeline's own. */
  readonly wanted: string
  readonly key: string | undefined
}

export interface Share {
  readonly backend: string
  readonly entries: { readonly [K in Kind]: ReadonlyArray<readonly [key: string, entry: Entry<Offered[K]>]> }
  readonly renamed: ReadonlyArray<Renamed>
  readonly snapshot: Snapshot
  readonly prefix: string
}

/** Persistent: the next catalogue shares what it does not change. */
type ByKey = { readonly [K in Kind]: HashMap.HashMap<string, Entry<Offered[K]>> }

type Entries<K extends Kind> = ReadonlyMap<string, Entry<Offered[K]>>

const listing = <K extends Kind>(kind: K, byKey: ByKey[K], shares: ReadonlyArray<Share>): Entries<K> => {
  type One = Entry<Offered[K]>
  function* each<A>(pick: (key: string, entry: One) => A): Generator<A, undefined> {
    for (const share of shares) for (const [key, entry] of share.entries[kind]) yield pick(key, entry)
  }
  const entries = () => each((key, entry): [string, One] => [key, entry])
  const self: Entries<K> = {
    size: HashMap.size(byKey),
    get: (key) => Option.getOrUndefined(HashMap.get(byKey as HashMap.HashMap<string, One>, key)),
    has: (key) => HashMap.has(byKey, key),
    entries,
    keys: () => each((key) => key),
    values: () => each((_, entry) => entry),
    [Symbol.iterator]: entries,
    forEach(callback, thisArg) {
      for (const [key, entry] of entries()) callback.call(thisArg, entry, key, self)
    }
  }
  return self
}

const quoted = (name: string): string => JSON.stringify(cut(name, 200))

export class Catalogue implements FleetCatalog {
  readonly revision: number
  readonly shares: ReadonlyArray<Share>
  readonly #byKey: ByKey
  readonly tools: Entries<"tools">
  readonly prompts: Entries<"prompts">
  readonly resources: Entries<"resources">
  readonly resourceTemplates: Entries<"resourceTemplates">
  #problems: ReadonlyArray<Problem> | undefined

  constructor(revision: number, shares: ReadonlyArray<Share>, byKey: ByKey) {
    this.revision = revision
    this.shares = shares
    this.#byKey = byKey
    this.tools = listing("tools", byKey.tools, shares)
    this.prompts = listing("prompts", byKey.prompts, shares)
    this.resources = listing("resources", byKey.resources, shares)
    this.resourceTemplates = listing("resourceTemplates", byKey.resourceTemplates, shares)
  }

  static readonly empty = new Catalogue(0, [], byKind(() => HashMap.empty<string, Entry<never>>()))

  /** Takes time in proportion to the entries of those that differ. */
  with(shares: ReadonlyArray<Share>): Catalogue {
    const [past, fresh] = unshared(this.shares, shares)
    if (past.length + fresh.length === 0) return this
    const [gone, come] = replaced(past, fresh)
    const byKey: ByKey = byKind((kind) =>
      HashMap.mutate(this.#byKey[kind] as HashMap.HashMap<string, Entry<never>>, (map) => {
        // First: a key may have a new holder.
        for (const { entries } of gone) for (const [key] of entries[kind]) HashMap.remove(map, key)
        for (const { entries } of come) for (const [key, entry] of entries[kind]) HashMap.set(map, key, entry as never)
      })
    )
    return new Catalogue(this.revision + 1, shares, byKey)
  }

  get problems(): ReadonlyArray<Problem> {
    return this.#problems ??= this.shares.flatMap((share) => [...share.snapshot.problems, ...this.#renamesOf(share)])
  }

  get renames(): ReadonlyArray<Problem> {
    return this.shares.filter(({ renamed }) => renamed.length > 0).flatMap((share) => this.#renamesOf(share))
  }

  #renamesOf({ backend, renamed }: Share): ReadonlyArray<Problem> {
    return renamed.map((one) => ({
      backend,
      kind: one.kind,
      name: one.original,
      message: `${backend} offers ${quoted(one.original)}, ${this.#whyRenamed(one)}`
    }))
  }

  #whyRenamed({ key, kind, original, plain, wanted }: Renamed): string {
    if (Names.isReserved(kind, wanted)) {
      return wanted === original && kind !== "tools" && kind !== "prompts"
        ? "which is left out: URIs that begin with lifeline: are Lifeline's own"
        : `which is left out: names that begin with ${Names.reserved} are Lifeline's own; give the server another name, or another prefix`
    }
    const offered = key === undefined ? "it is left out" : `it is offered as ${quoted(key)}`
    if (key === wanted) {
      const why = plain.length > Names.longest
        ? `which with its prefix is longer than the ${Names.longest} characters that hosts accept`
        : "which with its prefix has characters that hosts do not accept"
      return `${why}; ${offered}`
    }
    return `which ${this[kind].get(wanted)?.backend} has under the name ${quoted(wanted)}; ${offered}`
  }
}

type Shares = ReadonlyArray<Share>

/** Without those that both begin and end with. */
const unshared = (before: Shares, after: Shares): readonly [Shares, Shares] => {
  const shortest = Math.min(before.length, after.length)
  let first = 0
  while (first < shortest && before[first] === after[first]) first++
  let last = 0
  while (last < shortest - first && before.at(-1 - last) === after.at(-1 - last)) last++
  return [before.slice(first, before.length - last), after.slice(first, after.length - last)]
}

const replaced = (before: Shares, after: Shares): readonly [Shares, Shares] => {
  const [old, now] = [new Set(before), new Set(after)]
  return [before.filter((share) => !now.has(share)), after.filter((share) => !old.has(share))]
}

export const difference = (before: Catalogue, after: Catalogue): Difference => {
  const added: Array<string> = []
  const removed: Array<string> = []
  const changed: Array<string> = []
  const [past, fresh] = replaced(before.shares, after.shares)
  for (const kind of kinds) {
    for (const { entries } of fresh) {
      for (const [key, entry] of entries[kind]) {
        const was = before[kind].get(key)
        if (was === undefined) added.push(key)
        else if (was !== entry && (was.backend !== entry.backend || !same(was.value, entry.value))) changed.push(key)
      }
    }
    for (const { entries } of past) for (const [key] of entries[kind]) if (!after[kind].has(key)) removed.push(key)
  }
  return { revision: after.revision, added, removed, changed }
}

/** In the same order. Looks only at the shares that differ. */
export const listsSame = <K extends Kind>(
  kind: K,
  before: FleetCatalog,
  after: FleetCatalog,
  same: (before: Offered[K], after: Offered[K]) => boolean
): boolean => {
  const entriesOf = (shares: ReadonlyArray<Share>): ReadonlyArray<Entry<Offered[K]>> =>
    shares.flatMap(({ entries }) => entries[kind].map(([, entry]) => entry))
  const allSame = (old: ReadonlyArray<Entry<Offered[K]>>, now: ReadonlyArray<Entry<Offered[K]>>): boolean =>
    old.length === now.length && old.every((entry, i) => entry === now[i] || same(entry.value, now[i]!.value))
  if (!(before instanceof Catalogue && after instanceof Catalogue)) {
    return allSame([...before[kind].values()] as never, [...after[kind].values()] as never)
  }
  const [old, now] = unshared(before.shares, after.shares)
  return allSame(entriesOf(old), entriesOf(now))
}
