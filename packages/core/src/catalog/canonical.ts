/** One form of JSON, so that equal values are equal texts. Pure. */
import { Predicate } from "effect"
import { constUndefined } from "effect/Function"
import { unlessThrown } from "../internal/thrown.js"

type TextOf = (parent: object, key: string | number) => string | undefined

/** No blanks; members by their UTF-16 code units. Recursive. */
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
