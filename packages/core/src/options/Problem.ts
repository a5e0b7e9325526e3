import { Array as Arr, Predicate } from "effect"
import { InvalidOptions } from "../Errors.js"
import { nearest } from "./nearest.js"

export { nearest } from "./nearest.js"

export type Path = ReadonlyArray<string | number>

export interface Problem {
  readonly path: Path
  /** Follows the option's name: `is 5; accepted: 1 s to 24 h`. Quotes nothing that may be secret. */
  readonly message: string
  /**
   * The key is the problem. `misspelt`: similar to an option. `foreign`: of another program. `unknown`: any other that is no option.
   * `ambiguous`: accepted, but could mean something else. `elsewhere`: for another program only.
   */
  readonly key?: "misspelt" | "unknown" | "foreign" | "ambiguous" | "elsewhere" | undefined
}

/** As people write it: `mcpServers.docs.args[0]`. */
export const showPath = (path: Path): string =>
  path.reduce<string>(
    (shown, key) => typeof key === "number" ? `${shown}[${key}]` : shown === "" ? key : `${shown}.${key}`,
    ""
  )

export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

const longest = 60

const shown = (value: unknown): string =>
  typeof value === "string"
    ? value.length > longest ? `a text of ${value.length} characters` : JSON.stringify(value)
    : Predicate.isNumber(value) || Predicate.isBoolean(value) || Predicate.isBigInt(value)
    ? String(value)
    : kindOf(value)

export const wrong = (path: Path, value: unknown, accepted: string): Problem => ({
  path,
  message: `is ${shown(value)}; accepted: ${accepted}`
})

/** It may be secret: the message says only its kind. */
export const wrongSecret = (path: Path, value: unknown, accepted: string): Problem => ({
  path,
  message: `is ${kindOf(value)}; accepted: ${accepted}`
})

export const unknown = (
  path: Path,
  known: ReadonlyArray<string>,
  { meant, of = "" }: { readonly of?: string; readonly meant?: string | undefined } = {}
): Problem => {
  const suggestion = meant ?? nearest(String(path.at(-1)), known)
  const help = suggestion === undefined ? `there are: ${known.join(", ")}` : `did you mean "${suggestion}"?`
  return {
    path,
    message: `is not an option${of === "" ? "" : ` of ${of}`}; ${help}`,
    key: suggestion === undefined ? "unknown" : "misspelt"
  }
}

export const below = (path: Path, problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> =>
  problems.map((problem) => ({ ...problem, path: [...path, ...problem.path] }))

export type Problems = Arr.NonEmptyReadonlyArray<Problem>

export const some: (problems: ReadonlyArray<Problem>) => problems is Problems = Arr.isNonEmptyReadonlyArray

export interface Owned {
  readonly backend: string
  readonly problem: Problem
}

const listed = 20

type Said = InvalidOptions["problems"][number]

const fromSaid = (problems: Arr.NonEmptyReadonlyArray<Said>): InvalidOptions => {
  const [{ backend, field, message }] = problems
  const lines = problems.slice(0, listed).map((one) => `\n- ${one.message}`).join("")
  const more = problems.length > listed ? `\n- and ${problems.length - listed} more` : ""
  return new InvalidOptions({
    backend,
    field,
    message: problems.length === 1 ? message : `${problems.length} options are not accepted:${lines}${more}`,
    problems
  })
}

const say = ({ backend, problem }: Owned): Said => {
  const field = showPath(problem.path) || "options"
  return { backend, field, message: `${backend === "" ? "" : `${backend}: `}${field} ${problem.message}` }
}

export const toInvalidOptions = (problems: Arr.NonEmptyReadonlyArray<Owned>): InvalidOptions =>
  fromSaid(Arr.map(problems, say))

export const refuse = (backend: string, problems: Problems): InvalidOptions =>
  toInvalidOptions(Arr.map(problems, (problem) => ({ backend, problem })))

export const join = (errors: ReadonlyArray<InvalidOptions>): InvalidOptions | undefined => {
  const problems = errors.flatMap((error) => error.problems)
  return Arr.isNonEmptyReadonlyArray(problems) ? fromSaid(problems) : undefined
}
