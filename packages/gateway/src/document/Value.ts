/**
 * What a configuration says, whatever it is written in: JSON, TOML and YAML all read as this.
 */

/** A text, a number and the like, a list, or a table by key. A Map: it keeps the order of keys, and `__proto__` is a key like any other. */
export type Value = string | number | bigint | boolean | null | ReadonlyArray<Value> | Table
export interface Table extends ReadonlyMap<string, Value> {}

/** What an edit writes, as it is kept in the state folder. */
export type Data = string | boolean | ReadonlyArray<string> | {
  readonly [key: string]: string | { readonly [key: string]: string }
}

/** Steps into a value: keys of tables, and indexes of lists. */
export type Path = ReadonlyArray<string | number>

export const isTable = (value: Value | undefined): value is Table => value instanceof Map
export const isList = (value: Value | undefined): value is ReadonlyArray<Value> => Array.isArray(value)

/** What a parser of a library gave, as a Value. */
export const from = (raw: unknown): Value => {
  if (Array.isArray(raw)) return raw.map(from)
  if (raw instanceof Map) return new Map([...raw].map(([key, value]) => [String(key), from(value)]))
  if (raw instanceof Date) return raw.toISOString()
  if (typeof raw === "object" && raw !== null) {
    return new Map(Object.entries(raw).map(([key, value]) => [key, from(value)]))
  }
  return raw === undefined ? null : raw as Value
}

/** Whether both say the same. The order of keys says nothing. */
export const equal = (a: Value | undefined, b: Value | undefined): boolean => {
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, index) => equal(item, b[index]))
  if (isTable(a) && isTable(b)) {
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && equal(value, b.get(key)))
  }
  return Object.is(a, b)
}

/** What stands at a path, if anything does. */
export const at = (value: Value | undefined, [step, ...rest]: Path): Value | undefined => {
  if (step === undefined) return value
  if (typeof step === "number") return isList(value) ? at(value[step], rest) : undefined
  return isTable(value) ? at(value.get(step), rest) : undefined
}

/** A text, if it is one. */
export const text = (value: Value | undefined): string | undefined => typeof value === "string" ? value : undefined

/** A list of texts, if it is one. */
export const texts = (value: Value | undefined): ReadonlyArray<string> | undefined =>
  isList(value) && value.every((item) => typeof item === "string") ? value as ReadonlyArray<string> : undefined
