/**
 * Checks of options, which may be functions and instances. `docs/internals/architecture.md` says why they are no schemas of Effect.
 */
import { Predicate } from "effect"
import * as ByteSize from "./ByteSize.js"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"

/** A JSON Schema. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** Finds the problems of the value at a path; none if the value is accepted. */
export interface Check {
  (value: unknown, path: Problem.Path): ReadonlyArray<Problem.Problem>
  /** A JSON Schema of the accepted values, for configuration files. `undefined` if a file cannot hold them, as with functions. */
  readonly schema?: JsonSchema | undefined
}

/** A check with its JSON Schema. */
export const described = (
  check: (value: unknown, path: Problem.Path) => ReadonlyArray<Problem.Problem>,
  schema: JsonSchema | undefined
): Check => Object.assign(check, { schema })

const none: ReadonlyArray<Problem.Problem> = []

/** Accepts what a predicate accepts; `accepted` describes it in words. */
export const is = (
  accepts: (value: unknown) => boolean,
  accepted: string,
  schema?: JsonSchema,
  wrong = Problem.wrong
): Check => described((value, path) => accepts(value) ? none : [wrong(path, value, accepted)], schema)

/** As `is`, for values that may be secret: the problem does not show the value. */
export const isSecret = (accepts: (value: unknown) => boolean, accepted: string, schema?: JsonSchema): Check =>
  is(accepts, accepted, schema, Problem.wrongSecret)

/** Accepts `true` and `false`. */
export const flag = is(Predicate.isBoolean, "true or false", { type: "boolean" })

/** Accepts a string. The problem does not show the value, because it may be secret. */
export const string = isSecret(Predicate.isString, "a string", { type: "string" })

/** Accepts a string that is not empty. The problem does not show the value, because it may be secret. */
export const text: Check = described(
  (value, path) =>
    value === ""
      ? [{ path, message: "is empty; accepted: a string that is not" }]
      : isSecret(Predicate.isString, "a string that is not empty")(value, path),
  { type: "string", minLength: 1 }
)

/** Accepts a function. */
export const func = is(Predicate.isFunction, "a function")

/** Accepts an object that is not an array. */
export const object = is(Predicate.isRecord, "an object", { type: "object" })

/** Accepts a whole number from `min` to `max`. */
export const whole = (min: number, max: number): Check =>
  is(
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    max === Infinity ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`,
    { type: "integer", minimum: min, ...(max === Infinity ? {} : { maximum: max }) }
  )

/** Accepts a number from `min` to `max`. */
export const number = (min: number, max: number): Check =>
  is(
    (value) => Predicate.isNumber(value) && value >= min && value <= max,
    `a number from ${min} to ${max}`,
    { type: "number", minimum: min, maximum: max }
  )

/** Accepts a text that matches a regular expression. */
export const matching = (pattern: RegExp, accepted: string): Check =>
  is((value) => Predicate.isString(value) && pattern.test(value), accepted, { type: "string", pattern: pattern.source })

/** Accepts a length of time from `min` to `max` milliseconds. The JSON Schema checks the range of numbers, but only the form of texts. */
export const span = (
  min: number,
  max: number,
  forms = ', as milliseconds or as a text such as "5s" or "5 minutes"'
): Check => {
  const range = TimeSpan.range(min, max)
  return is(
    (value) => {
      const millis = TimeSpan.toMillis(value)
      return millis !== undefined && millis >= min && millis <= max
    },
    `${range}${forms}`,
    {
      description: `${range}: milliseconds, or a text with a unit such as "5s" or "5 minutes"`,
      anyOf: [{ type: "number", minimum: min, maximum: max }, { type: "string", pattern: TimeSpan.pattern }]
    }
  )
}

/** No server that works uses less memory, in bytes. */
const leastMemory = 10_000_000
const memoryAccepted = `at least ${ByteSize.show(leastMemory)}, as bytes or as a text such as "512 MB" or "1 GiB"`

/** Accepts a limit for the memory of a server. The JSON Schema checks the range of numbers, but only the form of texts. */
export const memory: Check = is((value) => (ByteSize.toBytes(value) ?? 0) >= leastMemory, memoryAccepted, {
  description: memoryAccepted,
  anyOf: [{ type: "integer", minimum: leastMemory }, { type: "string", pattern: ByteSize.pattern }]
})

/** Accepts a length of time, or "never". */
export const spanOrNever = (min: number, max: number): Check => {
  const inRange = span(min, max)
  return is(
    (value) => value === "never" || inRange(value, []).length === 0,
    `${TimeSpan.range(min, max)}, or "never"`,
    { anyOf: [inRange.schema, { const: "never" }] }
  )
}

/** Accepts one of these texts. */
export const oneOf = (...accepted: ReadonlyArray<string>): Check =>
  is(
    (value) => accepted.includes(value as string),
    accepted.map((one) => JSON.stringify(one)).join(", ").replace(/, ([^,]*)$/, " or $1"),
    { enum: accepted }
  )

/** Accepts an array if `element` accepts each element. */
export const list = (element: Check, accepted: string): Check =>
  described(
    (value, path) =>
      Array.isArray(value)
        ? value.flatMap((one, index) => element(one, [...path, index]))
        : [Problem.wrongSecret(path, value, accepted)],
    { type: "array", items: element.schema ?? {} }
  )

/** Accepts an object with any names if `element` accepts each value. */
export const values = (element: Check, accepted: string): Check =>
  described(
    (value, path) =>
      Predicate.isRecord(value)
        ? Object.entries(value).flatMap(([name, one]) => one === undefined ? [] : element(one, [...path, name]))
        : [Problem.wrongSecret(path, value, accepted)],
    { type: "object", additionalProperties: element.schema ?? {} }
  )

/**
 * Accepts an object that has only options of the table, each with an accepted value. `undefined` counts as not given. `unknown` and `wrong`
 * make the problems of an option that does not exist, and of a value that is no object.
 */
export const options = (
  table: Readonly<Record<string, Check>>,
  of: string,
  {
    unknown = (path: Problem.Path) => Problem.unknown(path, Object.keys(table), { of }),
    wrong = Problem.wrongSecret
  } = {}
): Check =>
(value, path) => {
  if (!Predicate.isRecord(value)) return [wrong(path, value, "an object of options")]
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
    else found = found.concat(check(one, full))
  }
  return found ?? none
}
