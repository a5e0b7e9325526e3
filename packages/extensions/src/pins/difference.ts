/** In lines for people. The server may mislead: characters that cannot be seen are shown as codes. */
import { PlainText } from "@mcp-lifeline/core/text"
import { Predicate } from "effect"

const { cut, json } = PlainText

/** In short: how many differences, and how many characters of each value and path. */
const [most, longest] = [20, 300]

/** In characters. Beyond, whole fields are compared. */
const longestPaths = 100_000

/** `full`: for the person who approves. `short`: says how much is left out. */
export interface Difference {
  readonly full: ReadonlyArray<string>
  readonly short: ReadonlyArray<string>
}

/** Missing: the member was not there, or is gone. */
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

const isNested = (value: unknown): boolean => typeof value === "object" && value !== null

const inShort = (text: string): string => cut(text, longest)

const lineOf = (path: string, was: string | undefined, is: string | undefined): string => {
  if (was === undefined) return `${path}: added ${is}`
  return is === undefined ? `${path}: removed, was ${was}` : `${path}: ${was} -> ${is}`
}

const shown = ({ path, ...values }: Change, show = (text: string) => text): string =>
  lineOf(
    show(path),
    "was" in values ? show(json(values.was)) : undefined,
    "is" in values ? show(json(values.is)) : undefined
  )

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

/** `room`: for further paths, in characters. */
interface Found {
  readonly changes: Array<Change>
  room: number
}

/** The depth of definitions is bounded. `isDeep`: compare members of fields. */
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

/** Whole fields if the paths of members would be far longer than the definitions. */
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

export const fieldsOf = (text: string | undefined): Difference => {
  const definition = parsed(text)
  if (definition === undefined) return { full: tooLong, short: tooLong }
  const fields = Object.entries(definition)
  return {
    full: fields.map(([field, value]) => `${field}: ${json(value)}`),
    short: first(fields, ([field, value]) => `${inShort(field)}: ${inShort(json(value))}`)
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
  return { full: changes.map((one) => shown(one)), short: first(changes, (one) => shown(one, inShort)) }
}
