import { Predicate } from "effect"
import * as Check from "./Check.js"
import * as Problem from "./Problem.js"
import type * as TimeSpan from "./TimeSpan.js"

/** The command runs each time that the value is needed. */
export interface SecretCommand {
  /** Program and arguments, without a shell. */
  readonly command: ReadonlyArray<string>
  /** Default 10 s. */
  readonly timeout?: TimeSpan.TimeSpan | undefined
  /** Before what the command writes, such as `Bearer `. Default: none. */
  readonly prefix?: string | undefined
}

const argv: Check.Check = Check.described((value, path) => {
  if (!Array.isArray(value) || value.length === 0) {
    return [{ path, message: "is no command; accepted: an array of a program and its arguments" }]
  }
  return value.flatMap((one, index) => (index === 0 ? Check.text : Check.string)(one, [...path, index]))
}, { type: "array", items: Check.string.schema, minItems: 1 })

const options = Check.options(
  { command: argv, timeout: Check.span(1, 600_000), prefix: Check.string },
  "a value from a command"
)

export const check: Check.Check = Check.described(
  (value, path) =>
    Predicate.isRecord(value) && value["command"] !== undefined
      ? options(value, path)
      : [
        Problem.wrongSecret(path, value, 'an object with a command, such as { "command": ["op", "read", "op://.."] }')
      ],
  { ...options.schema, required: ["command"] }
)

/** Of a checked value. */
export const is = (value: unknown): value is SecretCommand =>
  Predicate.isRecord(value) && Array.isArray(value["command"])
