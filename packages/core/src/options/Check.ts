/**
 * Checks of options by hand-made tables, for what is not decoded by a schema: options with functions and instances, and those
 * of a call, which are looked at each time.
 */
import { Predicate } from "effect"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"

/** A JSON Schema. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** What is wrong with a value that stands at a path. */
export interface Check {
  (value: unknown, path: Problem.Path): ReadonlyArray<Problem.Problem>
  /** The same for editors of files, as far as a schema can say it. None for what a file cannot hold, such as a function. */
  readonly schema?: JsonSchema | undefined
}

/** A check with what a schema says of it. */
export const described = (
  check: (value: unknown, path: Problem.Path) => ReadonlyArray<Problem.Problem>,
  schema: JsonSchema | undefined
): Check => Object.assign(check, { schema })

const none: ReadonlyArray<Problem.Problem> = []

/** A value that fulfils a predicate; `accepted` says in words what does. */
export const is = (accepts: (value: unknown) => boolean, accepted: string, schema?: JsonSchema): Check =>
  described((value, path) => accepts(value) ? none : [Problem.wrong(path, value, accepted)], schema)

/** As `is`, for what may be secret: a value that is refused is not shown. */
export const isSecret = (accepts: (value: unknown) => boolean, accepted: string, schema?: JsonSchema): Check =>
  described((value, path) => accepts(value) ? none : [Problem.wrongSecret(path, value, accepted)], schema)

/** `true` or `false`. */
export const flag = is(Predicate.isBoolean, "true or false", { type: "boolean" })

/** A text, which may be secret. */
export const string = isSecret(Predicate.isString, "a string", { type: "string" })

/** A text that is not empty, and may be secret. */
export const text: Check = described(
  (value, path) =>
    value === ""
      ? [{ path, message: "is empty; accepted: a string that is not" }]
      : isSecret(Predicate.isString, "a string that is not empty")(value, path),
  { type: "string", minLength: 1 }
)

/** A function. */
export const func = is(Predicate.isFunction, "a function")

/** An object, and no array. */
export const object = is(Predicate.isRecord, "an object", { type: "object" })

/** A whole number between two bounds. */
export const whole = (min: number, max: number): Check =>
  is(
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    max === Infinity ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`,
    { type: "integer", minimum: min, ...(max === Infinity ? {} : { maximum: max }) }
  )

/** The schema of a length of time between two bounds in milliseconds; of a text only its form. */
export const spanSchema = (min: number, max: number): JsonSchema => ({
  description: `${TimeSpan.range(min, max)}: milliseconds, or a text with a unit such as "5s" or "5 minutes"`,
  anyOf: [{ type: "number", minimum: min, maximum: max }, { type: "string", pattern: TimeSpan.pattern }]
})

/** A length of time between two bounds in milliseconds. */
export const span = (min: number, max: number): Check =>
  is(
    (value) => {
      const millis = TimeSpan.toMillis(value)
      return millis !== undefined && millis >= min && millis <= max
    },
    `${TimeSpan.range(min, max)}, as milliseconds or as a text such as "5s" or "5 minutes"`,
    spanSchema(min, max)
  )

/** One of some texts. */
export const oneOf = (...accepted: ReadonlyArray<string>): Check =>
  is(
    (value) => accepted.includes(value as string),
    accepted.map((one) => JSON.stringify(one)).join(", ").replace(/, ([^,]*)$/, " or $1"),
    { enum: accepted }
  )

/** An array whose elements are checked one by one. */
export const list = (element: Check, accepted: string): Check =>
  described(
    (value, path) =>
      Array.isArray(value)
        ? value.flatMap((one, index) => element(one, [...path, index]))
        : [Problem.wrongSecret(path, value, accepted)],
    { type: "array", items: element.schema ?? {} }
  )

/** An object whose values are checked one by one, whatever their names. */
export const values = (element: Check, accepted: string): Check =>
  described(
    (value, path) =>
      Predicate.isRecord(value)
        ? Object.entries(value).flatMap(([name, one]) => one === undefined ? [] : element(one, [...path, name]))
        : [Problem.wrongSecret(path, value, accepted)],
    { type: "object", additionalProperties: element.schema ?? {} }
  )

/** An object with the options of a table and no others. What is `undefined` is not there. */
export const options = (
  table: Readonly<Record<string, Check>>,
  of: string,
  unknown = (path: Problem.Path): Problem.Problem => Problem.unknown(path, Object.keys(table), { of })
): Check =>
(value, path) => {
  if (!Predicate.isRecord(value)) return [Problem.wrongSecret(path, value, "an object of options")]
  let found: Array<Problem.Problem> | undefined
  for (const name of Object.keys(value)) {
    const one = value[name]
    if (one === undefined) continue
    const check = Object.hasOwn(table, name) ? table[name] : undefined
    // Most options are right: where one stands is written down only when it is not.
    if (check?.(one, path).length === 0) continue
    const full = [...path, name]
    found ??= []
    if (check === undefined) found.push(unknown(full))
    else found.push(...check(one, full))
  }
  return found ?? none
}
