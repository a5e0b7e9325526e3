/** What a server gives again in another order keeps its first one: the prompt cache of a model lasts as long as the bytes of its lists. (P13) */
import { Predicate } from "effect"
import * as ExactJson from "../internal/ExactJson.js"
import { unlessThrown } from "../internal/thrown.js"
import { keys, type Kind } from "./Kind.js"

type Values = Readonly<Record<string | number, unknown>>

const isPlain = (value: unknown): value is Values =>
  Predicate.isRecord(value) && Object.getPrototypeOf(value) === Object.prototype

const namesOf = (value: Values): ReadonlyArray<string | number> =>
  Array.isArray(value) ? [...value.keys()] : Object.keys(value)

/** The same array or object where each value of `merged` is. */
const unlessSame = (before: Values, now: Values, merged: Values): Values => {
  const names = namesOf(merged)
  const isSame = (name: string | number): boolean =>
    Object.is(before[name], merged[name]) && ExactJson.sourceOf(before, name) === ExactJson.sourceOf(now, name)
  return names.length === namesOf(before).length && names.every(isSame) ? before : ExactJson.copied(now, merged)
}

const merge = (before: unknown, now: unknown): unknown => {
  if (before === now) return now
  if (Array.isArray(before) && Array.isArray(now)) {
    return unlessSame(before as never, now as never, now.map((value, i) => merge(before[i], value)) as never)
  }
  if (!isPlain(before) || !isPlain(now)) return now
  const names = [
    ...Object.keys(before).filter((name) => Object.hasOwn(now, name)),
    ...Object.keys(now).filter((name) => !Object.hasOwn(before, name))
  ]
  return unlessSame(before, now, Object.fromEntries(names.map((name) => [name, merge(before[name], now[name])])))
}

/** What is the same JSON in any order of keys is the earlier object itself; of the rest, keys that it had have their earlier order. */
export const kept = <A>(before: unknown, now: A): A => unlessThrown(() => merge(before, now)) as A | undefined ?? now

const keyOf = (kind: Kind, entry: unknown): unknown => Predicate.isRecord(entry) ? entry[keys[kind]] : undefined

/** A new entry comes after the one that it follows in the server's list. */
export const entries = (
  kind: Kind,
  before: ReadonlyArray<unknown>,
  now: ReadonlyArray<unknown>
): ReadonlyArray<unknown> => {
  const places = new Map(before.map((entry, place) => [keyOf(kind, entry), place]))
  let last = -1
  return now.map((entry) => {
    const place = places.get(keyOf(kind, entry))
    last = place ?? last
    return { at: last, entry: place === undefined ? entry : kept(before[place], entry) }
  }).toSorted((a, b) => a.at - b.at).map(({ entry }) => entry)
}

/** A copy with its keys in the order of `namesOf`. */
const copied = (value: unknown, namesOf: (value: object) => ReadonlyArray<string>): unknown => {
  if (Array.isArray(value)) return ExactJson.copied(value, value.map((one) => copied(one, namesOf)))
  if (!isPlain(value)) return value
  const members = namesOf(value).map((name) => [name, copied(value[name], namesOf)])
  return ExactJson.copied(value, Object.fromEntries(members))
}

export type Page = Readonly<Record<string, unknown>>

/** For a caller, who may change it: `list` and, by their names, the other members of what a server gave. */
export const page = (kind: Kind, list: ReadonlyArray<unknown>, { [kind]: _0, nextCursor: _1, ...rest }: Page): Page =>
  unlessThrown(() => ({
    [kind]: copied(list, Object.keys),
    ...copied(rest, (value) => Object.keys(value).toSorted()) as Page
  })) ?? { [kind]: list, ...rest }
