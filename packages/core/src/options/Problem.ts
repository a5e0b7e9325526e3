import { Array as Arr, Predicate } from "effect"
import { InvalidOptions } from "../Errors.js"

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

const wrongBy = (describe: (value: unknown) => string) => (path: Path, value: unknown, accepted: string): Problem => ({
  path,
  message: `is ${describe(value)}; accepted: ${accepted}`
})

export const wrong = wrongBy(shown)

/** It may be secret: the message says only its kind. */
export const wrongSecret = wrongBy(kindOf)

/** Letters to insert, delete, replace or swap with their neighbour. */
const distance = (a: string, b: string): number => {
  let before: ReadonlyArray<number> = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const changed = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
        ? (before[column - 2] ?? Infinity) + 1
        : Infinity
      current.push(Math.min(changed, swapped, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    before = above
    above = current
  }
  return above[b.length] ?? 0
}

/** No longer word was meant to be one of ours. */
const longestWord = 100

/** A third of the letters may be wrong; case does not matter. */
export const nearest = (word: string, known: Iterable<string>): string | undefined => {
  if (word.length > longestWord) return undefined
  let found: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    // A letter more or less is a letter that is wrong.
    if (Math.abs(candidate.length - word.length) >= least) continue
    const letters = distance(word.toLowerCase(), candidate.toLowerCase())
    if (letters < least) [found, least] = [candidate, letters]
  }
  return found
}

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

export const refuse = (backend: string, problems: Problems): InvalidOptions =>
  fromSaid(Arr.map(problems, ({ message, path }) => {
    const field = showPath(path) || "options"
    return { backend, field, message: `${backend === "" ? "" : `${backend}: `}${field} ${message}` }
  }))

export const join = (errors: ReadonlyArray<InvalidOptions>): InvalidOptions | undefined => {
  const problems = errors.flatMap((error) => error.problems)
  return Arr.isNonEmptyReadonlyArray(problems) ? fromSaid(problems) : undefined
}
