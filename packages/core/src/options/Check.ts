/** `docs/internals/decisions/options.md` says why these are no schemas of Effect. */
import { Predicate, Record } from "effect"
import * as ByteSize from "../internal/ByteSize.js"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"

export interface JsonSchema {
  readonly [keyword: string]: unknown
}

export interface Check {
  (value: unknown, path: Problem.Path): ReadonlyArray<Problem.Problem>
  /** For configuration files; `undefined` if a file cannot hold such values. */
  readonly schema?: JsonSchema | undefined
}

export const described = (
  check: (value: unknown, path: Problem.Path) => ReadonlyArray<Problem.Problem>,
  schema: JsonSchema | undefined
): Check => Object.assign(check, { schema })

const none: ReadonlyArray<Problem.Problem> = []

export const is = (
  accepts: (value: unknown) => boolean,
  accepted: string,
  schema?: JsonSchema,
  wrong = Problem.wrong
): Check => described((value, path) => accepts(value) ? none : [wrong(path, value, accepted)], schema)

/** The problem does not show the value, which may be secret. */
export const isSecret = (accepts: (value: unknown) => boolean, accepted: string, schema?: JsonSchema): Check =>
  is(accepts, accepted, schema, Problem.wrongSecret)

export const flag = is(Predicate.isBoolean, "true or false", { type: "boolean" })

export const flagOrNames = is(
  (value) => Predicate.isBoolean(value) || (Array.isArray(value) && value.every(Predicate.isString)),
  "true, false or a list of names",
  { type: ["boolean", "array"], items: { type: "string" } }
)

export const string = isSecret(Predicate.isString, "a string", { type: "string" })

export const text: Check = described(
  (value, path) =>
    value === ""
      ? [{ path, message: "is empty; accepted: a string that is not" }]
      : isSecret(Predicate.isString, "a string that is not empty")(value, path),
  { type: "string", minLength: 1 }
)

export const func = is(Predicate.isFunction, "a function")

export const object = is(Predicate.isRecord, "an object", { type: "object" })

export const whole = (min: number, max: number): Check =>
  is(
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    max === Infinity ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`,
    { type: "integer", minimum: min, ...(max === Infinity ? {} : { maximum: max }) }
  )

export const number = (min: number, max: number): Check =>
  is(
    (value) => Predicate.isNumber(value) && value >= min && value <= max,
    `a number from ${min} to ${max}`,
    { type: "number", minimum: min, maximum: max }
  )

export const matching = (pattern: RegExp, accepted: string): Check =>
  is((value) => Predicate.isString(value) && pattern.test(value), accepted, { type: "string", pattern: pattern.source })

/** In milliseconds. The JSON Schema checks only the form of texts. */
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

/** In bytes: no server that works uses less. */
const leastMemory = 10_000_000
const memoryAccepted = `at least ${ByteSize.show(leastMemory)}, as bytes or as a text such as "512 MB" or "1 GiB"`

export const memory: Check = is((value) => (ByteSize.toBytes(value) ?? 0) >= leastMemory, memoryAccepted, {
  description: memoryAccepted,
  anyOf: [{ type: "integer", minimum: leastMemory }, { type: "string", pattern: ByteSize.pattern }]
})

export const spanOrNever = (min: number, max: number): Check => {
  const inRange = span(min, max)
  return is(
    (value) => value === "never" || inRange(value, []).length === 0,
    `${TimeSpan.range(min, max)}, or "never"`,
    { anyOf: [inRange.schema, { const: "never" }] }
  )
}

export const oneOf = (...accepted: ReadonlyArray<string>): Check =>
  is(
    (value) => accepted.includes(value as string),
    accepted.map((one) => JSON.stringify(one)).join(", ").replace(/, ([^,]*)$/, " or $1"),
    { enum: accepted }
  )

export const list = (element: Check, accepted: string): Check =>
  described(
    (value, path) =>
      Array.isArray(value)
        ? value.flatMap((one, index) => element(one, [...path, index]))
        : [Problem.wrongSecret(path, value, accepted)],
    { type: "array", items: element.schema ?? {} }
  )

export const values = (element: Check, accepted: string, wrong = Problem.wrongSecret): Check =>
  described(
    (value, path) =>
      Predicate.isRecord(value)
        ? Object.entries(value).flatMap(([name, one]) => one === undefined ? [] : element(one, [...path, name]))
        : [wrong(path, value, accepted)],
    { type: "object", additionalProperties: element.schema ?? {} }
  )

/** `undefined` counts as not given. */
export const options = (
  table: { readonly [name: string]: Check },
  of: string,
  {
    unknown = (path: Problem.Path) => Problem.unknown(path, Object.keys(table), { of }),
    wrong = Problem.wrongSecret
  } = {}
): Check =>
  described((value, path) => {
    if (!Predicate.isRecord(value)) return [wrong(path, value, "an object of options")]
    let found: Array<Problem.Problem> | undefined
    for (const name of Object.keys(value)) {
      const one = value[name]
      if (one === undefined) continue
      const check = Object.hasOwn(table, name) ? table[name] : undefined
      // Most options are right: the path is built only when one is not.
      if (check?.(one, path).length === 0) continue
      const full = [...path, name]
      found ??= []
      if (check === undefined) found.push(unknown(full))
      else found = found.concat(check(one, full))
    }
    return found ?? none
  }, { type: "object", additionalProperties: false, properties: Record.map(table, ({ schema }) => schema ?? {}) })
