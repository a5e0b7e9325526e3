/**
 * Which entries of a server's lists its callers are offered: the options `hide` and `only`, their check and their decoded form.
 */
import { Predicate } from "effect"
import * as Check from "./Check.js"
import { nearest } from "./nearest.js"
import type { ListFilter as Given } from "./PolicyOptions.js"
import * as ToolPattern from "./ToolPattern.js"

/** The names that may be filtered: those of tools and prompts, and the URIs of resources with the templates of URIs. */
export type Filtered = "tools" | "prompts" | "resources"

/** A name or a pattern of one of the two lists. */
export interface Pattern {
  readonly pattern: string
  /** Given for several servers, of which not each need have such an entry. */
  readonly isForAll: boolean
  /** What is matched in its place, where a host means more or something else by a text. */
  readonly readings?: ReadonlyArray<string>
  /** What it does not match, although it would. */
  readonly except?: ReadonlyArray<string>
}

/** Decoded: an entry is offered if no pattern of `hide` matches it, and one of each list of `only` does. */
export interface ListFilter {
  readonly hide: ReadonlyArray<Pattern>
  readonly only: ReadonlyArray<ReadonlyArray<Pattern>>
}

/** On a list that was given for several servers. A symbol is none of the things that are checked and shown. */
const forAllServers = Symbol("@mcp-lifeline/core/options/ListFilter/forAllServers")

/** On a list within a list, with which it counts together. No file has such a list. */
const joined = Symbol("@mcp-lifeline/core/options/ListFilter/joined")

/** On a list that is one text of a host, with how the host means it. No file has such a list. */
const meant = Symbol("@mcp-lifeline/core/options/ListFilter/meant")

type Meant = readonly [text: string] & { readonly [meant]: Partial<Pick<Pattern, "readings" | "except" | "isForAll">> }

const isMeant = (value: unknown): value is Meant => Array.isArray(value) && meant in value

/** A text of a host that means something else than a pattern of ours does: one item of a list. */
export const meaning = (text: string, means: Meant[typeof meant]): string =>
  Object.assign([text], { [meant]: means }) as unknown as string

/** Names and patterns, and further lists that count together with them. */
type Patterns = ReadonlyArray<unknown> & { readonly [forAllServers]?: true; readonly [joined]?: true }

const isList = (value: unknown): value is Patterns => Array.isArray(value)

const isJoined = (value: unknown): value is Patterns => isList(value) && value[joined] === true

/** A list as a person may read it: a text of a host, with what it leaves out. */
export const shown = (given: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  given.map((one) => {
    if (!isMeant(one)) return isJoined(one) ? shown(one) : one
    const { except = [] } = one[meant]
    return except.length === 0 ? one[0] : `${one[0]} (except ${except.join(", ")})`
  })

/** All lists that count together, each with its own names and patterns alone. */
const listsOf = (given: Patterns | undefined): ReadonlyArray<ReadonlyArray<Pattern>> => {
  if (given === undefined) return []
  const isForAll = given[forAllServers] === true
  const own = given.flatMap((one): ReadonlyArray<Pattern> =>
    isMeant(one)
      ? [{ pattern: one[0], isForAll, ...one[meant] }]
      : Predicate.isString(one)
      ? [{ pattern: one, isForAll }]
      : []
  )
  return [own, ...given.filter(isJoined).flatMap(listsOf)]
}

const list = Check.list(Check.text, "an array of names and patterns")

const patterns: Check.Check = Check.described(
  (value, path) =>
    isList(value)
      ? value.flatMap((one, index) =>
        isJoined(one) ? patterns(one, path) : Check.text(isMeant(one) ? one[0] : one, [...path, index])
      )
      : list(value, path),
  list.schema
)

/** The checks of the two options. */
export const checks = { hide: patterns, only: patterns } satisfies {
  readonly [K in keyof Required<Given>]: Check.Check
}

/** The names of the two options. */
export const names: ReadonlyArray<string> = Object.keys(checks)

/** Accepts the two options and nothing else. `group`: their name for messages. */
export const check = (group: string): Check.Check =>
  Check.described(Check.options(checks, group), {
    type: "object",
    additionalProperties: false,
    properties: schemas
  })

/** The JSON Schemas of the two options. */
export const schemas: Readonly<Record<string, Check.JsonSchema>> = Object.fromEntries(
  Object.entries(checks).map(([name, { schema }]) => [name, schema ?? {}])
)

/** Options that have passed the check. */
export const decode = ({ hide, only }: Given = {}): ListFilter => ({
  hide: listsOf(hide).flat(),
  only: listsOf(only)
})

/** Whether it keeps nothing from callers. */
export const isOpen = ({ hide, only }: ListFilter): boolean => hide.length === 0 && only.length === 0

/** Two lists of one option that count together: what one of them hides is hidden. */
export const both = (
  below: ReadonlyArray<string> | undefined,
  above: ReadonlyArray<string> | undefined
): ReadonlyArray<string> | undefined => {
  if (below === undefined || above === undefined) return above ?? below
  const marks = (given: Patterns) => given[forAllServers] === true ? { [forAllServers]: true } : {}
  const within = Object.assign([...below], { [joined]: true }, marks(below))
  return Object.assign([...above, within as unknown as string], marks(above))
}

/** One option of two sets: the lists of both count. What is no list stays, to be refused. */
export const mergeOne = (below: unknown, above: unknown): unknown =>
  isList(below) && isList(above)
    ? both(below as ReadonlyArray<string>, above as ReadonlyArray<string>)
    : above ?? below

/** The same for a whole set, in which only these two options are. */
export const merge = (below: unknown, above: unknown): unknown => {
  if (!Predicate.isRecord(below) || !Predicate.isRecord(above)) return above === undefined ? below : above
  const merged = new Map(Object.entries(below))
  for (const [name, over] of Object.entries(above)) merged.set(name, mergeOne(merged.get(name), over))
  return Object.fromEntries(merged)
}

/** One option, given for several servers: nobody is warned if one of them has no such entry. */
export const forAllOne = (value: unknown): unknown =>
  isList(value) ? Object.assign([...value], { [forAllServers]: true }) : value

/** The same for a whole set. */
export const forAll = (options: unknown): unknown =>
  Predicate.isRecord(options)
    ? Object.fromEntries(Object.entries(options).map(([name, value]) => [name, forAllOne(value)]))
    : options

/** Whether a pattern matches a name. */
const matchesOne = ({ except = [], pattern, readings = [pattern] }: Pattern, name: string): boolean =>
  readings.some((one) => ToolPattern.matches(one, name)) && !except.some((one) => ToolPattern.matches(one, name))

/** Whether one of the patterns matches a name. */
const matches = (patterns: ReadonlyArray<Pattern>, name: string): boolean =>
  patterns.some((one) => matchesOne(one, name))

/** Whether a name is offered. */
export const passes = ({ hide, only }: ListFilter, name: string): boolean =>
  !matches(hide, name) && only.every((one) => matches(one, name))

/** A name or pattern that fits nothing that a server has, and what was probably meant. */
export interface Unmatched {
  readonly kind: Filtered
  /** The list that has it; not set for a name of the options by tool. */
  readonly option: "hide" | "only" | undefined
  readonly pattern: string
  readonly meant: string | undefined
}

/** The patterns for this server alone that match none of its names. */
export const unmatched = (
  kind: Filtered,
  filter: ListFilter,
  names: ReadonlyArray<string>
): ReadonlyArray<Unmatched> =>
  (["hide", "only"] as const).flatMap((option) =>
    filter[option].flat().flatMap((one) => {
      const { isForAll, pattern } = one
      // One all of whose names are excepted hides nothing on purpose.
      const fits = (name: string): boolean => matchesOne({ ...one, except: [] }, name)
      return isForAll || pattern === "*" || names.some(fits)
        ? []
        : [{ kind, option, pattern, meant: nearest(pattern, names) }]
    })
  )

/** A sentence about it. */
export const describe = ({ kind, meant, option, pattern }: Unmatched): string =>
  `${JSON.stringify(pattern)} fits no ${kind.slice(0, -1)} of the server, so it ${
    option === "hide" ? "hides" : "offers"
  } nothing (${kind}.${option})${meant === undefined ? "" : `; did you mean ${JSON.stringify(meant)}?`}`
