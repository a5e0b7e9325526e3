/**
 * JSON in one form only, so that equal values are equal texts. Pure.
 */
import { Predicate } from "effect"

/** A JSON value without blanks, and with the names of members in the order of their UTF-16 code units. Recursive. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one ?? null)).join(",")}]`
  if (!Predicate.isRecord(value)) return JSON.stringify(value) ?? "null"
  const members = Object.keys(value).toSorted().flatMap((name) =>
    value[name] === undefined ? [] : [`${JSON.stringify(name)}:${canonical(value[name])}`]
  )
  return `{${members.join(",")}}`
}
