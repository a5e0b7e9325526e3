import { Predicate } from "effect"

type Claims = Readonly<Record<string, unknown>>

/** By its name; a name with dots that no claim has leads into objects, such as `realm_access.roles`. */
export const find = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : name.split(".").reduce<unknown>(
    (value, key) => Predicate.isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined,
    claims
  )

const textOf = (value: unknown): ReadonlyArray<string> =>
  Predicate.isString(value) ? [value] : Predicate.isNumber(value) || Predicate.isBoolean(value) ? [String(value)] : []

/** `scope` is a list separated by spaces (RFC 8693, section 4.2). */
export const valuesOf = (claims: Claims, name: string): ReadonlyArray<string> => {
  const value = find(claims, name)
  if (Array.isArray(value)) return value.flatMap(textOf)
  return name === "scope" && Predicate.isString(value) ? value.split(" ").filter((one) => one !== "") : textOf(value)
}
