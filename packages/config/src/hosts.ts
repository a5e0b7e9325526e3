/**
 * Keys with which hosts express options of Lifeline: timeouts, and values from variables.
 */
import { Check, type Problem, TimeSpan } from "@mcp-lifeline/core/options"
import type { ServerOptions } from "@mcp-lifeline/extensions"
import { Predicate, Record } from "effect"
import { at, own, type Raw, type Variables } from "./Expansion.js"

/** `unit`: the milliseconds of a bare number. */
interface Time {
  readonly option: "request" | "connect"
  readonly unit: 1 | 1000
  /** Some hosts read bare numbers up to this as milliseconds, others as seconds. */
  readonly ambiguousUpTo?: number
}

const times: Readonly<Record<string, Time>> = {
  // Hosts that count seconds allow an hour.
  timeout: { option: "request", unit: 1, ambiguousUpTo: 3600 },
  tool_timeout_sec: { option: "request", unit: 1000 },
  startup_timeout_sec: { option: "connect", unit: 1000 },
  startup_timeout_ms: { option: "connect", unit: 1 }
}

const bounds: Readonly<Record<Time["option"], Check.Check>> = {
  request: Check.span(1, 7 * TimeSpan.day),
  connect: Check.span(1, TimeSpan.day)
}

const scaled = (time: Time, value: unknown): unknown => Predicate.isNumber(value) ? value * time.unit : value

const isTooShort = (value: unknown, upTo: number): value is number =>
  Predicate.isNumber(value) && value > 0 && value <= upTo

/** A timeout in seconds has no unit; one in milliseconds may have one. */
const timeCheck = (time: Time): Check.Check =>
  time.unit === 1
    ? bounds[time.option]
    : Check.described((value, path) =>
      bounds[time.option](scaled(time, value), path).map((problem) => ({
        ...problem,
        message: "is out of range, or no number of seconds"
      })), { anyOf: [{ type: "number", exclusiveMinimum: 0 }, { type: "string" }] })

export const stdioChecks: Readonly<Record<string, Check.Check>> = {
  env_vars: Check.list(Check.text, "an array of names of variables")
}

export const httpChecks: Readonly<Record<string, Check.Check>> = {
  bearer_token_env_var: Check.text,
  env_http_headers: Check.values(Check.text, "an object of names of variables, by header")
}

export const anyChecks: Readonly<Record<string, Check.Check>> = Record.map(times, timeCheck)

export const ambiguous = (path: Problem.Path, value: number, effect: string): Problem.Problem => ({
  path,
  message: `is ${value} without a unit, ${effect}; write "${value} ms" or "${value} s"`,
  key: "ambiguous"
})

/** Under the names of hosts; Lifeline's own options override them. */
export const timeouts = (
  raw: Raw
): { readonly policy: ServerOptions.ServerOptions; readonly problems: ReadonlyArray<Problem.Problem> } => {
  const found: Partial<Record<Time["option"], TimeSpan.TimeSpan>> = {}
  const problems: Array<Problem.Problem> = []
  for (const [name, time] of Object.entries(times)) {
    const value = raw[name]
    if (value === undefined || anyChecks[name]?.(value, []).length !== 0) continue
    if (isTooShort(value, time.ambiguousUpTo ?? 0)) {
      problems.push(ambiguous([name], value, "which hosts read as milliseconds or as seconds, and has no effect here"))
    } else found[time.option] = scaled(time, value) as TimeSpan.TimeSpan
  }
  return { policy: Object.keys(found).length === 0 ? {} : { timeouts: found }, problems }
}

/** Lifeline's own timeouts of less than a second, perhaps meant as seconds. */
export const doubtful = (
  options: { readonly tools?: unknown },
  path: Problem.Path
): ReadonlyArray<Problem.Problem> => {
  const tools = Predicate.isRecord(options.tools) ? Object.keys(options.tools) : []
  const places = [["timeouts", "connect"], ["timeouts", "request"], ...tools.map((name) => ["tools", name, "timeout"])]
  return places.flatMap((place) => {
    const value = at(options, place)
    return isTooShort(value, 999) ? [ambiguous([...path, ...place], value, "which is read as milliseconds")] : []
  })
}

/** Values that hosts take from variables. One that is not set is reported; in `env_vars` it is left out. */
export const fromVariables = (
  reach: Raw,
  variables: Variables,
  report: (path: Problem.Path, message: string) => void
): { readonly env: Raw; readonly headers: Raw } => {
  const needed = (name: string, path: Problem.Path): string => {
    const value = own(variables, name)
    if (value === undefined) report(path, `names the variable ${name}, which is not set; set it in the environment`)
    return value ?? ""
  }
  const headers: Record<string, string> = {}
  const { bearer_token_env_var: bearer, env_http_headers: byHeader, env_vars: names } = reach
  if (Predicate.isString(bearer)) headers["Authorization"] = `Bearer ${needed(bearer, ["bearer_token_env_var"])}`
  for (const [header, name] of Object.entries((byHeader ?? {}) as Readonly<Record<string, string>>)) {
    headers[header] = needed(name, ["env_http_headers", header])
  }
  const env = ((names ?? []) as ReadonlyArray<string>).map((name) => [name, own(variables, name)])
  return { env: Object.fromEntries(env), headers }
}
