/** How two definitions of a tool differ, in lines for people. The server may mislead: characters that cannot be seen are shown as codes. */
import { PlainText } from "@mcp-lifeline/core/internal"
import { Predicate } from "effect"

const { json } = PlainText

/** How many differences are shown in short, and how many characters of each path. */
const [most, longestPath] = [20, 200]

/** How many characters are shown in short around a change, and of the change. */
const [around, longest] = [30, 200]

/** Of all paths of one definition together, in characters. If they are longer, whole fields are compared. */
const longestPaths = 100_000

/** `full`: for the person who approves. `short`: says how much is left out. */
export interface Difference {
  readonly full: ReadonlyArray<string>
  readonly short: ReadonlyArray<string>
}

/** A missing `was` or `is`: the member was not there, or is gone. */
interface Change {
  readonly path: string
  readonly was?: unknown
  readonly is?: unknown
}

/** `.name`, or `["a name"]` where that would not be clear. */
const member = (path: string, key: string): string => {
  const isPlain = /^[A-Za-z_$][\w$-]{0,99}$/.test(key)
  if (!isPlain) return `${path}[${json(key)}]`
  return path === "" ? key : `${path}.${key}`
}

const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** Not between the halves of a surrogate pair. */
const before = (text: string, at: number): number => at > 0 && isLow(text.charCodeAt(at)) ? at - 1 : at

const leftOut = (count: number): string => `(${count} characters left out)`

/** With how much stands before and after it. */
const part = (text: string, from: number, to: number, show = (text: string) => text): string => {
  const [start, end] = [before(text, Math.max(0, from)), before(text, Math.min(text.length, to))]
  return [
    ...(start > 0 ? [leftOut(start)] : []),
    show(text.slice(start, end)),
    ...(end < text.length ? [leftOut(text.length - end)] : [])
  ].join(" ")
}

/** Around the place where they differ. */
const texts = (one: string, other: string, show?: (text: string) => string): readonly [string, string] => {
  const shorter = Math.min(one.length, other.length)
  let start = 0
  while (start < shorter && one[start] === other[start]) start++
  let end = 0
  while (end < shorter - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++
  const shown = (text: string) =>
    part(text, start - around, Math.min(text.length - end + around, start + longest + around), show)
  return [shown(one), shown(other)]
}

const isNested = (value: unknown): boolean => typeof value === "object" && value !== null

const inShort = (value: unknown): string =>
  Predicate.isString(value) ? part(value, 0, longest, json) : part(json(value), 0, longest)

const bothInShort = (one: unknown, other: unknown): readonly [string, string] =>
  Predicate.isString(one) && Predicate.isString(other)
    ? texts(one, other, json)
    : Predicate.isString(one) || Predicate.isString(other)
    ? [inShort(one), inShort(other)]
    : texts(json(one), json(other))

const lineOf = (path: string, was: string | undefined, is: string | undefined): string => {
  if (was === undefined) return `${path}: added ${is}`
  return is === undefined ? `${path}: removed, was ${was}` : `${path}: ${was} -> ${is}`
}

const full = ({ path, ...values }: Change): string =>
  lineOf(path, "was" in values ? json(values.was) : undefined, "is" in values ? json(values.is) : undefined)

const short = ({ path, ...values }: Change): string => {
  const place = part(path, 0, longestPath)
  if (!("was" in values)) return lineOf(place, undefined, inShort(values.is))
  if (!("is" in values)) return lineOf(place, inShort(values.was), undefined)
  return lineOf(place, ...bothInShort(values.was, values.is))
}

const first = <A>(all: ReadonlyArray<A>, lineOf: (one: A) => string): ReadonlyArray<string> => [
  ...all.slice(0, most).map(lineOf),
  ...(all.length > most ? [`and ${all.length - most} more`] : [])
]

/** Arrays of plain values differ as a whole. */
const membersOf = (value: unknown): ReadonlyMap<string, unknown> | undefined => {
  if (Array.isArray(value)) {
    return value.some(isNested) ? new Map(value.map((one, index) => [String(index), one])) : undefined
  }
  return Predicate.isRecord(value) ? new Map(Object.entries(value)) : undefined
}

/** `room`: how many characters further paths may have together. */
interface Found {
  readonly changes: Array<Change>
  room: number
}

/** Recursive: the depth of definitions is bounded. `isDeep`: compare members of fields one by one. */
const compare = (path: string, one: unknown, other: unknown, found: Found, isDeep: boolean): void => {
  if (found.room < 0 || JSON.stringify(one) === JSON.stringify(other)) return
  const add = (change: Change): void => {
    found.room -= change.path.length
    found.changes.push(change)
  }
  const descends = isDeep || path === ""
  const [members, others] = descends ? [membersOf(one), membersOf(other)] : []
  if (members === undefined || others === undefined || Array.isArray(one) !== Array.isArray(other)) {
    return add({ path, was: one, is: other })
  }
  for (const [key, was] of members) {
    if (others.has(key)) compare(member(path, key), was, others.get(key), found, isDeep)
    else add({ path: member(path, key), was })
  }
  for (const [key, is] of others) {
    if (!members.has(key)) add({ path: member(path, key), is })
  }
}

/** Whole fields if the paths of their members would be far longer than the definitions. */
const changesOf = (one: object, other: object): ReadonlyArray<Change> => {
  const found: Found = { changes: [], room: longestPaths }
  compare("", one, other, found, true)
  if (found.room >= 0) return found.changes
  const fields: Found = { changes: [], room: Number.POSITIVE_INFINITY }
  compare("", one, other, fields, false)
  return fields.changes
}

const parsed = (text: string | undefined): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text)
    return Predicate.isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

const tooLong = ["the definition is too long to be kept, so what it says now cannot be shown"]

/** `undefined`: the definition was too long to be kept. */
export const fieldsOf = (text: string | undefined): Difference => {
  const definition = parsed(text)
  if (definition === undefined) return { full: tooLong, short: tooLong }
  const fields = Object.entries(definition)
  return {
    full: fields.map(([field, value]) => `${field}: ${json(value)}`),
    short: first(fields, ([field, value]) => `${part(field, 0, longestPath)}: ${inShort(value)}`)
  }
}

/** Of canonical JSON; `undefined`: too long to be kept. */
export const difference = (approved: string | undefined, now: string | undefined): Difference => {
  const [one, other] = [parsed(approved), parsed(now)]
  if (other === undefined) return { full: tooLong, short: tooLong }
  if (one === undefined) {
    const { full, short } = fieldsOf(now)
    const unknown = "what was approved was too long to be kept; this is what it is now"
    return { full: [unknown, ...full], short: [unknown, ...short] }
  }
  const changes = changesOf(one, other)
  return { full: changes.map(full), short: first(changes, short) }
}
