import { Predicate } from "effect"

type Claims = Readonly<Record<string, unknown>>

/** By its name, or else by a path with dots, such as `realm_access.roles`. */
const find = (claims: Claims, name: string): unknown => {
  if (Object.hasOwn(claims, name)) return claims[name]
  return name.split(".").reduce<unknown>(
    (value, key) => Predicate.isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined,
    claims
  )
}

const textOf = (value: unknown): ReadonlyArray<string> =>
  Predicate.isString(value) ? [value] : Predicate.isNumber(value) || Predicate.isBoolean(value) ? [String(value)] : []

/** `scope` is a list separated by spaces (RFC 8693, section 4.2). */
export const valuesOf = (claims: Claims, name: string): ReadonlyArray<string> => {
  const value = find(claims, name)
  if (Array.isArray(value)) return value.flatMap(textOf)
  return name === "scope" && Predicate.isString(value) ? value.split(" ").filter((one) => one !== "") : textOf(value)
}
