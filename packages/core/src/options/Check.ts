/**
 * Checks of options by hand-made tables, for what is not decoded by a schema: options with functions and instances, and those
 * of a call, which are looked at each time.
 */
import { Predicate } from "effect"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"

/** What is wrong with a value that stands at a path. */
export type Check = (value: unknown, path: Problem.Path) => ReadonlyArray<Problem.Problem>

const none: ReadonlyArray<Problem.Problem> = []

/** A value that fulfils a predicate; `accepted` says in words what does. */
export const is = (accepts: (value: unknown) => boolean, accepted: string): Check => (value, path) =>
  accepts(value) ? none : [Problem.wrong(path, value, accepted)]

/** As `is`, for what may be secret: a value that is refused is not shown. */
export const isSecret = (accepts: (value: unknown) => boolean, accepted: string): Check => (value, path) =>
  accepts(value) ? none : [Problem.wrongSecret(path, value, accepted)]

/** `true` or `false`. */
export const flag = is(Predicate.isBoolean, "true or false")

/** A text, which may be secret. */
export const string = isSecret(Predicate.isString, "a string")

/** A text that is not empty, and may be secret. */
export const text: Check = (value, path) =>
  value === ""
    ? [{ path, message: "is empty; accepted: a string that is not" }]
    : isSecret(Predicate.isString, "a string that is not empty")(value, path)

/** A function. */
export const func = is(Predicate.isFunction, "a function")

/** An object, and no array. */
export const object = is(Predicate.isRecord, "an object")

/** A whole number between two bounds. */
export const whole = (min: number, max: number): Check =>
  is(
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    max === Infinity ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`
  )

/** A length of time between two bounds in milliseconds. */
export const span = (min: number, max: number): Check =>
  is((value) => {
    const millis = TimeSpan.toMillis(value)
    return millis !== undefined && millis >= min && millis <= max
  }, `${TimeSpan.range(min, max)}, as milliseconds or as a text such as "5s" or "5 minutes"`)

/** One of some texts. */
export const oneOf = (...accepted: ReadonlyArray<string>): Check =>
  is(
    (value) => accepted.includes(value as string),
    accepted.map((one) => JSON.stringify(one)).join(", ").replace(/, ([^,]*)$/, " or $1")
  )

/** An array whose elements are checked one by one. */
export const list = (element: Check, accepted: string): Check => (value, path) =>
  Array.isArray(value)
    ? value.flatMap((one, index) => element(one, [...path, index]))
    : [Problem.wrongSecret(path, value, accepted)]

/** An object whose values are checked one by one, whatever their names. */
export const values = (element: Check, accepted: string): Check => (value, path) =>
  Predicate.isRecord(value)
    ? Object.entries(value).flatMap(([name, one]) => one === undefined ? [] : element(one, [...path, name]))
    : [Problem.wrongSecret(path, value, accepted)]

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
