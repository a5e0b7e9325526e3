/**
 * What is wrong with an option: where it stands, what it is and what would be accepted. One way to say it for options in
 * code and in files.
 */
import { InvalidOptions } from "../Errors.js"
import { nearest } from "./nearest.js"

export { nearest } from "./nearest.js"

/** Where an option stands: the keys that lead to it. */
export type Path = ReadonlyArray<string | number>

/** One thing that is wrong. */
export interface Problem {
  readonly path: Path
  /** Follows the option's name in a sentence: `is 5; accepted: 1 s to 24 h`. Quotes nothing that may be secret. */
  readonly message: string
  /**
   * A key that has no meaning here: `misspelt` where it looks like one that has, `foreign` where it is known to belong to another
   * program, else `unknown`. `ambiguous`: a key whose value may be meant otherwise, which is no reason to refuse it.
   */
  readonly key?: "misspelt" | "unknown" | "foreign" | "ambiguous" | undefined
}

/** A path as people write it: `mcpServers.docs.args[0]`. */
export const showPath = (path: Path): string =>
  path.reduce<string>(
    (shown, key) => typeof key === "number" ? `${shown}[${key}]` : shown === "" ? key : `${shown}.${key}`,
    ""
  )

/** What kind of value it is, for what may be secret or is too large to show. */
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

/** A value that is not accepted. */
export const wrong = (path: Path, value: unknown, accepted: string): Problem => ({
  path,
  message: `is ${shown(value)}; accepted: ${accepted}`
})

/** A value that is not accepted and is not shown, since it may be secret. */
export const wrongSecret = (path: Path, value: unknown, accepted: string): Problem => ({
  path,
  message: `is ${kindOf(value)}; accepted: ${accepted}`
})

/** An option that does not exist, with the one that was probably meant, or all that there are. */
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

/** Puts problems of a part below the path of the whole. */
export const below = (path: Path, problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> =>
  problems.map((problem) => ({ ...problem, path: [...path, ...problem.path] }))

/** Several, of which there is at least one. */
export type Problems = readonly [Problem, ...Array<Problem>]

/** Whether there are any. */
export const some = (problems: ReadonlyArray<Problem>): problems is Problems => problems.length > 0

/** A problem of a backend; the whole is called `options` where the problem is not with one of them. */
export interface Owned {
  readonly backend: string
  readonly problem: Problem
}

/** As many problems as a message lists. */
const listed = 20

type Said = InvalidOptions["problems"][number]

/** Problems as one error, which is named after the first. */
const fromSaid = (problems: readonly [Said, ...Array<Said>]): InvalidOptions => {
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
export const toInvalidOptions = ([first, ...rest]: readonly [Owned, ...Array<Owned>]): InvalidOptions =>
  fromSaid([say(first), ...rest.map(say)])

/** All problems of one backend as one error. */
export const refuse = (backend: string, [first, ...rest]: Problems): InvalidOptions =>
  toInvalidOptions([{ backend, problem: first }, ...rest.map((problem) => ({ backend, problem }))])

/** Several errors as one; none where there are none. */
export const join = (errors: ReadonlyArray<InvalidOptions>): InvalidOptions | undefined => {
  const [first, ...rest] = errors.flatMap(({ problems }) => problems)
  return first === undefined ? undefined : fromSaid([first, ...rest])
}
