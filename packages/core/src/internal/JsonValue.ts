/** A JSON value of others: how deep and how large it is, and its one form. */
import { Predicate } from "effect"
import { constUndefined } from "effect/Function"
import { Bytes } from "./ByteSize.js"
import { unlessThrown } from "./thrown.js"

export const defaultDepth = 500

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null

/** What writes or compares such a value is recursive, and overflows the stack. Also true for a value that contains itself. */
export const isTooDeep = (value: unknown, levels = defaultDepth): boolean => {
  if (!isNested(value)) return false
  let level: Array<object> = [value]
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > levels) return true
    const next: Array<object> = []
    for (const one of level as ReadonlyArray<Readonly<Record<string, unknown>>>) {
      if (Array.isArray(one)) { for (const inner of one) if (isNested(inner)) next.push(inner) }
      // A list of its values would take three times as long.
      else for (const key in one) if (isNested(one[key])) next.push(one[key])
    }
    level = next
  }
  return false
}

/** Bytes of each value beside its texts, so that many small ones count. */
const ofEach = { object: 64, other: 16 }

/** About how much memory it takes; most characters take one byte. */
export const sizeOf = (value: unknown): Bytes => {
  let size = 0
  const left = [value]
  while (left.length > 0) {
    const one = left.pop()
    size += isNested(one) ? ofEach.object : ofEach.other
    if (typeof one === "string") size += one.length
    else if (Array.isArray(one)) { for (const inner of one) left.push(inner) }
    else if (Predicate.isRecord(one)) {
      for (const key of Object.keys(one)) {
        size += key.length
        left.push(one[key])
      }
    }
  }
  return Bytes(size)
}

type TextOf = (parent: object, key: string | number) => string | undefined

/** Equal values are equal texts: no blanks; members by their UTF-16 code units. Recursive. */
export const canonical = (value: unknown, textOf: TextOf = constUndefined): string => {
  if (Array.isArray(value)) {
    return `[${value.map((one, index) => textOf(value, index) ?? canonical(one ?? null, textOf)).join(",")}]`
  }
  if (!Predicate.isRecord(value)) return JSON.stringify(value) ?? "null"
  const members = Object.keys(value).toSorted().flatMap((name) =>
    value[name] === undefined
      ? []
      : [`${JSON.stringify(name)}:${textOf(value, name) ?? canonical(value[name], textOf)}`]
  )
  return `{${members.join(",")}}`
}

/** False for what is no JSON, or nested too deeply. */
export const same = (a: unknown, b: unknown): boolean =>
  unlessThrown(() => a === b || JSON.stringify(a) === JSON.stringify(b)) === true
