/**
 * The program or address that a gateway tells what its user should know (`lifeline.onEvent`).
 */
import { Check, Problem, SecretCommand, type TimeSpan } from "@mcp-lifeline/core/internal"
import { Predicate } from "effect"
import { expand, type Sources } from "./Expansion.js"
import { type SecretValue, secretValuesOf } from "./Server.js"

/** Who is told. */
export type Listener =
  | {
    readonly _tag: "Command"
    readonly command: ReadonlyArray<string>
    readonly timeout: TimeSpan.TimeSpan | undefined
  }
  | {
    readonly _tag: "Url"
    readonly url: string
    readonly headers: Readonly<Record<string, SecretValue>>
    readonly timeout: TimeSpan.TimeSpan | undefined
  }

type Raw = Readonly<Record<string, unknown>>

const timeout = Check.span(1, 600_000)

const header = Check.described((value, path) =>
  Predicate.isRecord(value)
    ? SecretCommand.check(value, path)
    : Check.isSecret(Predicate.isString, 'a string or { "command": [..] }')(value, path), {
  anyOf: [{ type: "string" }, { $ref: "#/definitions/secretCommand" }]
})
const headers = Check.values(header, "an object of strings")

const ofCommand = Check.options(
  { command: (value, path) => SecretCommand.check({ command: value }, path.slice(0, -1)), timeout },
  "onEvent with a command"
)
const ofUrl = Check.options({ url: Check.text, headers, timeout }, "onEvent with a url")

const properties = (key: string, own: object) => ({
  type: "object",
  properties: { ...own, timeout: timeout.schema },
  required: [key],
  additionalProperties: false
})

/** Accepts the option, in which references to variables are not replaced yet. */
export const check: Check.Check = Check.described((value, path) => {
  const raw = value as Raw
  const isOne = Predicate.isRecord(value) && (raw["command"] === undefined) !== (raw["url"] === undefined)
  if (!isOne) {
    return [Problem.wrongSecret(path, value, "an object with either a command, an array of strings, or a url")]
  }
  return raw["url"] === undefined ? ofCommand(value, path) : ofUrl(value, path)
}, {
  anyOf: [
    properties("command", { command: { type: "array", items: { type: "string" }, minItems: 1 } }),
    properties("url", { url: { type: "string", minLength: 1 }, headers: headers.schema })
  ]
})

/** What was read of the option, or its problems, with paths in the option. The option was checked. */
export const read = (
  given: unknown,
  sources: Sources
): { readonly value: Listener | undefined; readonly problems: ReadonlyArray<Problem.Problem> } => {
  const problems: Array<Problem.Problem> = []
  const raw = expand(given, sources, (path, message) => problems.push({ path, message })) as Raw
  const own = { timeout: raw["timeout"] as TimeSpan.TimeSpan | undefined }
  if (raw["url"] === undefined) {
    const command = raw["command"] as ReadonlyArray<string>
    return { problems, value: problems.length > 0 ? undefined : { _tag: "Command", command, ...own } }
  }
  const url = String(raw["url"])
  if (problems.length === 0 && !/^https?:\/\/[^/\s]/i.test(url)) {
    problems.push({ path: ["url"], message: "is not an address; accepted: one that begins with http:// or https://" })
  }
  if (problems.length === 0 && /^[^/]*\/\/[^/?#]*@/.test(url)) {
    problems.push({ path: ["url"], message: "has a user name or password; put it into headers, as Authorization" })
  }
  const value: Listener = { _tag: "Url", url, headers: secretValuesOf(raw["headers"]), ...own }
  return { problems, value: problems.length > 0 ? undefined : value }
}
