/** What a server gives again keeps its first order and bytes. (P13) */
import { Predicate } from "effect"
import * as ExactJson from "../internal/ExactJson.js"
import { unlessThrown } from "../internal/thrown.js"
import { keyOf, type Kind } from "./Kind.js"

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Predicate.isRecord(value) && Object.getPrototypeOf(value) === Object.prototype

/** A copy. `namesOf`: the keys of an object in their order. */
const copied = (
  namesOf: (now: object, before: object) => ReadonlyArray<string>,
  now: unknown,
  before?: unknown
): unknown => {
  if (Array.isArray(now)) {
    const places: ReadonlyArray<unknown> = Array.isArray(before) ? before : []
    return ExactJson.copied(now, now.map((one, i) => copied(namesOf, one, places[i])))
  }
  if (!isPlain(now)) return now
  const earlier = isPlain(before) ? before : {}
  const members = namesOf(now, earlier).map((name) => [name, copied(namesOf, now[name], earlier[name])])
  return ExactJson.copied(now, Object.fromEntries(members))
}

const earlierFirst = (now: object, before: object): ReadonlyArray<string> => {
  const names = Object.keys(before).filter((name) => Object.hasOwn(now, name))
  return [...new Set([...names, ...Object.keys(now)])]
}

/** The earlier one if only keys are in another order. */
const kept = (before: unknown, now: unknown): unknown =>
  unlessThrown(() => {
    const merged = copied(earlierFirst, now, before)
    return ExactJson.stringify(merged) === ExactJson.stringify(before) ? before : merged
  }) ?? now

type Entries = ReadonlyArray<unknown>

/** A new entry comes after the one that it follows in the server's list. */
export const entries = (kind: Kind, before: Entries, now: Entries): Entries => {
  const places = new Map(before.map((entry, place) => [keyOf(kind, entry), place]))
  let last = -1
  return now.map((entry) => {
    const place = places.get(keyOf(kind, entry))
    last = place ?? last
    return { at: last, entry: place === undefined ? entry : kept(before[place], entry) }
  }).toSorted((a, b) => a.at - b.at).map(({ entry }) => entry)
}

export type Page = Readonly<Record<string, unknown>>

/** A copy, which a caller may change: the list, then what else its first page has, by name. */
export const page = (kind: Kind, list: Entries, { [kind]: _0, nextCursor: _1, ...rest }: Page): Page =>
  unlessThrown(() => ({
    [kind]: copied(Object.keys, list),
    ...copied((value) => Object.keys(value).toSorted(), rest) as Page
  })) ?? { [kind]: list, ...rest }
