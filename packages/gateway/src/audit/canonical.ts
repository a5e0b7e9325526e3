/**
 * JSON in one form only, so that equal values have equal hashes. Pure.
 */
import { Predicate } from "effect"
import { createHash } from "node:crypto"

/** A JSON value without blanks, and with the names of members in the order of their UTF-16 code units. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one ?? null)).join(",")}]`
  if (!Predicate.isRecord(value)) return JSON.stringify(value) ?? "null"
  const members = Object.keys(value).toSorted().flatMap((name) =>
    value[name] === undefined ? [] : [`${JSON.stringify(name)}:${canonical(value[name])}`]
  )
  return `{${members.join(",")}}`
}

/** The hash of a text in that form. */
export const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`

/** The SHA-256 of a JSON value in that form. */
export const digest = (value: unknown): string => hashOf(canonical(value))
