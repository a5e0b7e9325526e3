/**
 * JSON, TOML and YAML all have this value.
 */

/** A table is a Map, which keeps the order of keys, and in which `__proto__` is a key like any other. */
export type Value = string | number | bigint | boolean | null | ReadonlyArray<Value> | Table
export interface Table extends ReadonlyMap<string, Value> {}

/** What a patch writes. */
export type Data = string | boolean | ReadonlyArray<string> | {
  readonly [key: string]: string | { readonly [key: string]: string }
}

export type Path = ReadonlyArray<string | number>

export const isTable = (value: Value | undefined): value is Table => value instanceof Map
export const isList = (value: Value | undefined): value is ReadonlyArray<Value> => Array.isArray(value)

export const from = (raw: unknown): Value => {
  if (Array.isArray(raw)) return raw.map(from)
  if (raw instanceof Map) return new Map([...raw].map(([key, value]) => [String(key), from(value)]))
  if (raw instanceof Date) return raw.toISOString()
  if (typeof raw === "object" && raw !== null) {
    return new Map(Object.entries(raw).map(([key, value]) => [key, from(value)]))
  }
  return raw === undefined ? null : raw as Value
}

/** As JSON.parse would return it. */
export const plain = (value: Value): unknown => {
  if (isTable(value)) return Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]))
  return isList(value) ? value.map(plain) : typeof value === "bigint" ? Number(value) : value
}

/** The order of keys does not matter. */
export const equal = (a: Value | undefined, b: Value | undefined): boolean => {
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, index) => equal(item, b[index]))
  if (isTable(a) && isTable(b)) {
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && equal(value, b.get(key)))
  }
  return Object.is(a, b)
}

export const at = (value: Value | undefined, [step, ...rest]: Path): Value | undefined => {
  if (step === undefined) return value
  if (typeof step === "number") return isList(value) ? at(value[step], rest) : undefined
  return isTable(value) ? at(value.get(step), rest) : undefined
}

export const text = (value: Value | undefined): string | undefined => typeof value === "string" ? value : undefined

export const texts = (value: Value | undefined): ReadonlyArray<string> | undefined =>
  isList(value) && value.every((item) => typeof item === "string") ? value as ReadonlyArray<string> : undefined

/** With another value at the path, if there is one. */
export const put = (value: Value, [step, ...rest]: Path, to: Value): Value => {
  if (step === undefined) return to
  if (isList(value)) return value.map((item, index) => index === step ? put(item, rest, to) : item)
  return isTable(value)
    ? new Map([...value].map(([key, one]) => [key, key === step ? put(one, rest, to) : one]))
    : value
}
