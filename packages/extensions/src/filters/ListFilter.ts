/** The options `hide` and `only`: their check and their decoded form. */
import { Template } from "@mcp-lifeline/core/internal"
import { Check, nearest, Tools } from "@mcp-lifeline/core/options"
import { Predicate } from "effect"
import type { ListFilter as Given } from "../ExtensionOptions.js"

/** `resources`: their URIs, and the templates of URIs. */
export const filtered = ["tools", "prompts", "resources"] as const

export type Filtered = (typeof filtered)[number]

export interface Pattern {
  readonly pattern: string
  /** Given for several servers: not each need have such an entry. */
  readonly isForAll: boolean
  /** Matched in its place, where a host means more or something else by a text. */
  readonly readings?: ReadonlyArray<string>
  /** Not matched, although it would be. */
  readonly except?: ReadonlyArray<string>
}

/** An entry is offered if no pattern of `hide` matches it, and one of each list of `only` does. */
export interface ListFilter {
  readonly hide: ReadonlyArray<Pattern>
  readonly only: ReadonlyArray<ReadonlyArray<Pattern>>
}

/** On a list for several servers. A symbol is none of what is checked and shown. */
const forAllServers = Symbol("@mcp-lifeline/extensions/filters/ListFilter/forAllServers")

/** On a list within a list, with which it counts together. No file has such a list. */
const joined = Symbol("@mcp-lifeline/extensions/filters/ListFilter/joined")

/** On a list of one text, with how a host means it. No file has such a list. */
const meant = Symbol("@mcp-lifeline/extensions/filters/ListFilter/meant")

type Meant = readonly [text: string] & { readonly [meant]: Partial<Pick<Pattern, "readings" | "except" | "isForAll">> }

const isMeant = (value: unknown): value is Meant => Array.isArray(value) && meant in value

/** One item of a list: a text that means something else to a host than a pattern of ours. */
export const meaning = (text: string, means: Meant[typeof meant]): string =>
  Object.assign([text], { [meant]: means }) as unknown as string

type Patterns = ReadonlyArray<unknown> & { readonly [forAllServers]?: true; readonly [joined]?: true }

const isList = (value: unknown): value is Patterns => Array.isArray(value)

const isJoined = (value: unknown): value is Patterns => isList(value) && value[joined] === true

export const shown = (given: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  given.map((one) => {
    if (!isMeant(one)) return isJoined(one) ? shown(one) : one
    const { except = [] } = one[meant]
    return except.length === 0 ? one[0] : `${one[0]} (except ${except.join(", ")})`
  })

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

export const checks = { hide: patterns, only: patterns } satisfies {
  readonly [K in keyof Required<Given>]: Check.Check
}

export const names: ReadonlyArray<string> = Object.keys(checks)

export const check = (group: string): Check.Check => Check.options(checks, group)

export const schemas: Readonly<Record<string, Check.JsonSchema>> = Object.fromEntries(
  Object.entries(checks).map(([name, { schema }]) => [name, schema ?? {}])
)

export const decode = ({ hide, only }: Given = {}): ListFilter => ({
  hide: listsOf(hide).flat(),
  only: listsOf(only)
})

export const isOpen = ({ hide, only }: ListFilter): boolean => hide.length === 0 && only.length === 0

export const both = (
  below: ReadonlyArray<string> | undefined,
  above: ReadonlyArray<string> | undefined
): ReadonlyArray<string> | undefined => {
  if (below === undefined || above === undefined) return above ?? below
  const marks = (given: Patterns) => given[forAllServers] === true ? { [forAllServers]: true } : {}
  const within = Object.assign([...below], { [joined]: true }, marks(below))
  return Object.assign([...above, within as unknown as string], marks(above))
}

/** The lists of both count. What is no list stays, to be refused. */
export const mergeOne = (below: unknown, above: unknown): unknown =>
  isList(below) && isList(above)
    ? both(below as ReadonlyArray<string>, above as ReadonlyArray<string>)
    : above ?? below

export const merge = (below: Given | undefined, above: Given | undefined): Given | undefined => {
  if (!Predicate.isRecord(below) || !Predicate.isRecord(above)) return above === undefined ? below : above
  const merged = new Map(Object.entries(below))
  for (const [name, over] of Object.entries(above)) merged.set(name, mergeOne(merged.get(name), over))
  return Object.fromEntries(merged)
}

export const forAllOne = (value: unknown): unknown =>
  isList(value) ? Object.assign([...value], { [forAllServers]: true }) : value

export const forAll = (options: Given | undefined): Given | undefined =>
  Predicate.isRecord(options)
    ? Object.fromEntries(Object.entries(options).map(([name, value]) => [name, forAllOne(value)]))
    : options

const matchesOne = ({ except = [], pattern, readings = [pattern] }: Pattern, name: string): boolean =>
  readings.some((one) => Tools.matches(one, name)) && !except.some((one) => Tools.matches(one, name))

const matches = (patterns: ReadonlyArray<Pattern>, name: string): boolean =>
  patterns.some((one) => matchesOne(one, name))

export const passes = ({ hide, only }: ListFilter, name: string): boolean =>
  !matches(hide, name) && only.every((one) => matches(one, name))

export interface Unmatched {
  readonly kind: Filtered
  readonly option: "hide" | "only"
  readonly pattern: string
  readonly meant: string | undefined
}

export const unmatched = (
  kind: Filtered,
  filter: ListFilter,
  names: ReadonlyArray<string>
): ReadonlyArray<Unmatched> =>
  (["hide", "only"] as const).flatMap((option) =>
    filter[option].flat().flatMap((one) => {
      const { isForAll, pattern } = one
      // One all of whose names are excepted hides nothing on purpose.
      const whole = { ...one, except: [] }
      const isTemplate = kind === "resources" && Template.isTemplate(pattern)
      const standsFor = (uri: string): boolean => isTemplate && Template.matches(pattern, uri, option === "only")
      const fits = (name: string): boolean => matchesOne(whole, name) || standsFor(name)
      return isForAll || pattern === "*" || names.some(fits)
        ? []
        : [{ kind, option, pattern, meant: nearest(pattern, names) }]
    })
  )

export const describe = ({ kind, meant, option, pattern }: Unmatched): string =>
  `${JSON.stringify(pattern)} fits no ${kind.slice(0, -1)} of the server, so it ${
    option === "hide" ? "hides" : "offers"
  } nothing (${kind}.${option})${meant === undefined ? "" : `; did you mean ${JSON.stringify(meant)}?`}`
