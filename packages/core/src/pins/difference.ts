/**
 * The difference between two definitions of a tool, in lines for people. The definitions come from a server that may mislead: what cannot be
 * seen, such as a character without width, is shown as its code.
 */
import { Predicate } from "effect"
import { json } from "../observe/PlainText.js"

/** So many differences are shown in short, and so much of the path of each, in characters. */
const [most, longestPath] = [20, 200]

/** So many characters of a text are shown in short around what has changed, and of what has changed itself. */
const [around, longest] = [30, 200]

/** So long may all paths of one definition be together, in characters. Where they are longer, whole fields are compared. */
const longestPaths = 100_000

/** What distinguishes two definitions, or a definition that is new: in full, for whoever approves it; and in short, with how much is left out. */
export interface Difference {
  readonly full: ReadonlyArray<string>
  readonly short: ReadonlyArray<string>
}

/** One member that differs. A value that is missing was not there, or is not there any more. */
interface Change {
  readonly path: string
  readonly was?: unknown
  readonly is?: unknown
}

/** The member of a path: `.name`, or `["a name"]` where that would not be clear. */
const member = (path: string, key: string): string => {
  const isPlain = /^[A-Za-z_$][\w$-]{0,99}$/.test(key)
  if (!isPlain) return `${path}[${json(key)}]`
  return path === "" ? key : `${path}.${key}`
}

const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** Half of a character says nothing: an index before the whole one. */
const before = (text: string, at: number): number => at > 0 && isLow(text.charCodeAt(at)) ? at - 1 : at

const leftOut = (count: number): string => `(${count} characters left out)`

/** A part of a text, with how much stands before and after it. `show`: writes the part. */
const part = (text: string, from: number, to: number, show = (text: string) => text): string => {
  const [start, end] = [before(text, Math.max(0, from)), before(text, Math.min(text.length, to))]
  return [
    ...(start > 0 ? [leftOut(start)] : []),
    show(text.slice(start, end)),
    ...(end < text.length ? [leftOut(text.length - end)] : [])
  ].join(" ")
}

/** Two texts around the place where they differ. */
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

/** A value in short. */
const inShort = (value: unknown): string =>
  Predicate.isString(value) ? part(value, 0, longest, json) : part(json(value), 0, longest)

/** Two values in short. */
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

/** The first of them as lines, and how many more there are. */
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

/** What was found so far, and how long further paths may be together. */
interface Found {
  readonly changes: Array<Change>
  room: number
}

/** Recursive: the texts come from definitions, whose depth is bounded. `isDeep`: whether members of fields are compared one by one. */
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

/** The members that differ; whole fields where the paths of their members would be far longer than the definitions are. */
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

/** A definition that is new, field by field; `undefined` for one that was too long to be kept. */
export const fieldsOf = (text: string | undefined): Difference => {
  const definition = parsed(text)
  if (definition === undefined) return { full: tooLong, short: tooLong }
  const fields = Object.entries(definition)
  return {
    full: fields.map(([field, value]) => `${field}: ${json(value)}`),
    short: first(fields, ([field, value]) => `${part(field, 0, longestPath)}: ${inShort(value)}`)
  }
}

/** What distinguishes two definitions, given as canonical JSON; `undefined` for one that was too long to be kept. */
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
