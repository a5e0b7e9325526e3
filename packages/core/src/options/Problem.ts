/**
 * Problems of options: where the option is, what its value is, and what is accepted. The same for options in code and in files.
 */
import { Array as Arr } from "effect"
import { InvalidOptions } from "../Errors.js"
import { nearest } from "./nearest.js"

export { nearest } from "./nearest.js"

/** The keys that lead to an option. */
export type Path = ReadonlyArray<string | number>

/** One problem of an option. */
export interface Problem {
  readonly path: Path
  /** Follows the option's name in a sentence: `is 5; accepted: 1 s to 24 h`. Quotes nothing that may be secret. */
  readonly message: string
  /**
   * Set if the problem is the key, not the value. `misspelt`: there is no such option, but one with a similar name. `foreign`: the key
   * belongs to another program. `unknown`: any other key that is not an option. `ambiguous`: the value could also mean something else;
   * it is accepted. `elsewhere`: only another program can use what has this key.
   */
  readonly key?: "misspelt" | "unknown" | "foreign" | "ambiguous" | "elsewhere" | undefined
}

/** A path as people write it: `mcpServers.docs.args[0]`. */
export const showPath = (path: Path): string =>
  path.reduce<string>(
    (shown, key) => typeof key === "number" ? `${shown}[${key}]` : shown === "" ? key : `${shown}.${key}`,
    ""
  )

/** The kind of a value, for messages that must not show the value or would be too long. */
export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

const longest = 60

/** A value as it is shown in a message: short texts and numbers as they are, everything else by its kind. */
const shown = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return value.length > longest ? `a text of ${value.length} characters` : JSON.stringify(value)
    case "number":
    case "boolean":
    case "bigint":
      return String(value)
    default:
      return kindOf(value)
  }
}

/** The problem of a value that is not accepted; its message shows the value. */
export const wrong = (path: Path, value: unknown, accepted: string): Problem => ({
  path,
  message: `is ${shown(value)}; accepted: ${accepted}`
})

/** The same for a value that may be secret: the message only says what kind of value it is. */
export const wrongSecret = (path: Path, value: unknown, accepted: string): Problem => ({
  path,
  message: `is ${kindOf(value)}; accepted: ${accepted}`
})

/** The problem of an option that does not exist. Its message names the one that was probably meant, or all that exist. */
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

/** The same problems with a path in front of theirs. */
export const below = (path: Path, problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> =>
  problems.map((problem) => ({ ...problem, path: [...path, ...problem.path] }))

/** A list of problems with at least one. */
export type Problems = Arr.NonEmptyReadonlyArray<Problem>

/** Whether there is at least one problem. */
export const some: (problems: ReadonlyArray<Problem>) => problems is Problems = Arr.isNonEmptyReadonlyArray

/** A problem, with the name of its backend. */
export interface Owned {
  readonly backend: string
  readonly problem: Problem
}

/** As many problems as a message lists. */
const listed = 20

type Said = InvalidOptions["problems"][number]

/** Problems as one error, which is named after the first. */
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

/** All problems as one error. */
export const toInvalidOptions = (problems: Arr.NonEmptyReadonlyArray<Owned>): InvalidOptions =>
  fromSaid(Arr.map(problems, say))

/** All problems of one backend as one error. */
export const refuse = (backend: string, problems: Problems): InvalidOptions =>
  toInvalidOptions(Arr.map(problems, (problem) => ({ backend, problem })))

/** Several errors as one; none where there are none. */
export const join = (errors: ReadonlyArray<InvalidOptions>): InvalidOptions | undefined => {
  const problems = errors.flatMap((error) => error.problems)
  return Arr.isNonEmptyReadonlyArray(problems) ? fromSaid(problems) : undefined
}
