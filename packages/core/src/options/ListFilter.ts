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
}

/** Decoded: an entry is offered if no pattern of `hide` matches it and, where there is `only`, one of that does. */
export interface ListFilter {
  readonly hide: ReadonlyArray<Pattern>
  readonly only: ReadonlyArray<Pattern> | undefined
}

/** How many patterns of a list, its first ones, were given for several servers. A symbol is none of the things that are checked and shown. */
const forAllServers = Symbol("@mcp-lifeline/core/options/ListFilter/forAllServers")

type Patterns = ReadonlyArray<string> & { readonly [forAllServers]?: number }

const patterns = Check.list(Check.text, "an array of names and patterns")

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

const listOf = (given: Patterns): ReadonlyArray<Pattern> => {
  const shared = given[forAllServers] ?? 0
  return given.map((pattern, index) => ({ pattern, isForAll: index < shared }))
}

/** Options that have passed the check. */
export const decode = ({ hide, only }: Given = {}): ListFilter => ({
  hide: listOf(hide ?? []),
  only: only && listOf(only)
})

/** Whether it keeps nothing from callers. */
export const isOpen = ({ hide, only }: ListFilter): boolean => hide.length === 0 && only === undefined

const isList = (value: unknown): value is Patterns => Array.isArray(value)

const joined = (below: Patterns, above: Patterns): Patterns =>
  Object.assign([...below, ...above], { [forAllServers]: below[forAllServers] ?? 0 })

/**
 * Merges one option of two sets. What is hidden below stays hidden; otherwise `above` wins, except where it has `undefined`. What is no
 * list stays, to be refused.
 */
export const mergeOne = (name: string, below: unknown, above: unknown): unknown =>
  above === undefined
    ? below
    : name === "hide" && isList(below) && isList(above)
    ? joined(below, above)
    : above

/** The same for a whole set, in which only these two options are. */
export const merge = (below: unknown, above: unknown): unknown => {
  if (!Predicate.isRecord(below) || !Predicate.isRecord(above)) return above === undefined ? below : above
  const merged: Record<string, unknown> = { ...below }
  for (const [name, over] of Object.entries(above)) merged[name] = mergeOne(name, merged[name], over)
  return merged
}

/** One option, given for several servers: nobody is warned if one of them has no such entry. */
export const forAllOne = (value: unknown): unknown =>
  isList(value) ? Object.assign([...value], { [forAllServers]: value.length }) : value

/** The same for a whole set. */
export const forAll = (options: unknown): unknown =>
  Predicate.isRecord(options)
    ? Object.fromEntries(Object.entries(options).map(([name, value]) => [name, forAllOne(value)]))
    : options

/** Whether one of the patterns matches a name. */
export const matches = (patterns: ReadonlyArray<Pattern>, name: string): boolean =>
  patterns.some(({ pattern }) => ToolPattern.matches(pattern, name))

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
    (filter[option] ?? []).flatMap(({ isForAll, pattern }) =>
      isForAll || pattern === "*" || names.some((name) => ToolPattern.matches(pattern, name))
        ? []
        : [{ kind, option, pattern, meant: nearest(pattern, names) }]
    )
  )

/** A sentence about it. */
export const describe = ({ kind, meant, option, pattern }: Unmatched): string =>
  `${JSON.stringify(pattern)} fits no ${kind.slice(0, -1)} of the server, so it ${
    option === "hide" ? "hides" : "offers"
  } nothing (${kind}.${option})${meant === undefined ? "" : `; did you mean ${JSON.stringify(meant)}?`}`
