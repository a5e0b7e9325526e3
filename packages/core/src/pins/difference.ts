/**
 * The difference between two definitions of a tool, in lines for people. The definitions come from a server that may mislead: what cannot be
 * seen, such as a character without width, is shown as its code.
 */
import { Predicate } from "effect"
import { cut, json } from "../observe/PlainText.js"

/** So many differences are shown at most. */
const most = 20

/** So many characters of a text are shown around what has changed, and of what has changed itself. */
const [around, longest] = [30, 200]

/** The member of a path: `.name`, or `["a name"]` where that would not be clear. */
const member = (path: string, key: string): string => {
  const isPlain = /^[A-Za-z_$][\w$-]{0,99}$/.test(key)
  if (!isPlain) return `${path}[${json(cut(key, 100))}]`
  return path === "" ? key : `${path}.${key}`
}

const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** Half of a character says nothing: an index before the whole one. */
const before = (text: string, at: number): number => at > 0 && isLow(text.charCodeAt(at)) ? at - 1 : at

/** A part of a text, with marks where more of it is. */
const part = (text: string, from: number, to: number): string => {
  const [start, end] = [before(text, Math.max(0, from)), before(text, Math.min(text.length, to))]
  return `${start > 0 ? "…" : ""}${text.slice(start, end)}${end < text.length ? "…" : ""}`
}

/** Two texts around the place where they differ. */
const texts = (one: string, other: string): readonly [string, string] => {
  const shorter = Math.min(one.length, other.length)
  let start = 0
  while (start < shorter && one[start] === other[start]) start++
  let end = 0
  while (end < shorter - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++
  const shown = (text: string) =>
    part(text, start - around, Math.min(text.length - end + around, start + longest + around))
  return [shown(one), shown(other)]
}

const isNested = (value: unknown): boolean => typeof value === "object" && value !== null

/** A value in short. */
const shown = (value: unknown): string =>
  Predicate.isString(value) ? json(part(value, 0, longest)) : part(json(value), 0, longest)

const change = (path: string, one: unknown, other: unknown): string => {
  const [a, b] = Predicate.isString(one) && Predicate.isString(other)
    ? texts(one, other).map((text) => json(text))
    : Predicate.isString(one) || Predicate.isString(other)
    ? [shown(one), shown(other)]
    : texts(json(one), json(other))
  return `${path}: ${a} -> ${b}`
}

/** Arrays of plain values differ as a whole. */
const membersOf = (value: unknown): ReadonlyMap<string, unknown> | undefined => {
  if (Array.isArray(value)) {
    return value.some(isNested) ? new Map(value.map((one, index) => [String(index), one])) : undefined
  }
  return Predicate.isRecord(value) ? new Map(Object.entries(value)) : undefined
}

/** Recursive: the texts come from definitions, whose depth is bounded. */
const compare = (path: string, one: unknown, other: unknown, found: Array<string>): void => {
  if (JSON.stringify(one) === JSON.stringify(other)) return
  const [members, others] = [membersOf(one), membersOf(other)]
  if (members === undefined || others === undefined || Array.isArray(one) !== Array.isArray(other)) {
    found.push(change(path, one, other))
    return
  }
  for (const [key, value] of members) {
    if (others.has(key)) compare(member(path, key), value, others.get(key), found)
    else found.push(`${member(path, key)}: removed, was ${shown(value)}`)
  }
  for (const [key, value] of others) {
    if (!members.has(key)) found.push(`${member(path, key)}: added ${shown(value)}`)
  }
}

const parsed = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What distinguishes two definitions, given as canonical JSON; `undefined` for one that was too long to be kept. */
export const difference = (approved: string | undefined, now: string | undefined): ReadonlyArray<string> => {
  const [one, other] = [parsed(approved), parsed(now)]
  if (!Predicate.isRecord(one) || !Predicate.isRecord(other)) {
    return ["the definition is too long to show what has changed"]
  }
  const found: Array<string> = []
  compare("", one, other, found)
  return found.length <= most ? found : [...found.slice(0, most), `and ${found.length - most} more`]
}

/** A definition that is new, field by field. */
export const fieldsOf = (text: string | undefined): ReadonlyArray<string> => {
  const definition = parsed(text)
  return Predicate.isRecord(definition)
    ? Object.entries(definition).map(([field, value]) => `${field}: ${shown(value)}`)
    : ["the definition is too long to be shown"]
}
