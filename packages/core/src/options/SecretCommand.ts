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

const argv: Check.Check = (value, path) => {
  if (!Array.isArray(value) || value.length === 0) {
    return [{ path, message: "is no command; accepted: an array of a program and its arguments" }]
  }
  const [program, ...args] = value as ReadonlyArray<unknown>
  return [
    ...Check.text(program, [...path, 0]),
    ...args.flatMap((one, index) => Check.string(one, [...path, index + 1]))
  ]
}

const span = Check.span(1, 600_000)

const table = { command: argv, timeout: span, prefix: Check.string }

export const check: Check.Check = Check.described((value, path) => {
  if (!Predicate.isRecord(value) || value["command"] === undefined) {
    return [
      Problem.wrongSecret(path, value, 'an object with a command, such as { "command": ["op", "read", "op://.."] }')
    ]
  }
  return Check.options(table, "a value from a command")(value, path)
}, {
  type: "object",
  properties: {
    command: { type: "array", items: { type: "string" }, minItems: 1 },
    timeout: span.schema,
    prefix: { type: "string" }
  },
  required: ["command"],
  additionalProperties: false
})

/** Of a checked value. */
export const is = (value: unknown): value is SecretCommand =>
  Predicate.isRecord(value) && Array.isArray(value["command"])
