import { Predicate } from "effect"
import { day } from "../internal/Time.js"
import type { Method, Params } from "../port/Method.js"
import * as Check from "./Check.js"
import type * as Given from "./PolicyOptions.js"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"

export type ToolOptions = Given.ToolOptions<TimeSpan.TimeSpan>

type Patterns = NonNullable<Given.PolicyOptions<TimeSpan.TimeSpan>["tools"]>

export interface ToolRule extends Given.ToolOptions<number> {
  readonly pattern: string
  readonly isForAll: boolean
}

/** A symbol is none of the options that are checked and shown. */
const forAllServers = Symbol("@mcp-lifeline/core/options/Tools/forAllServers")

const table = {
  timeout: Check.span(1, 7 * day, ""),
  retry: Check.oneOf("safe", "never"),
  concurrency: Check.whole(1, 1_000_000),
  idempotent: Check.flag
} satisfies { readonly [K in keyof Required<ToolOptions>]: Check.Check }

export const names: ReadonlyArray<string> = Object.keys(table)

export const check = Check.values(
  Check.options(table, "a tool", { wrong: Problem.wrong }),
  "an object of options by the name of the tool",
  Problem.wrong
)

const isGlob = (pattern: string): boolean => pattern.includes("*") || pattern.includes("?")

const exactness = (pattern: string): number => {
  let literal = 0
  for (const character of pattern) if (character !== "*" && character !== "?") literal++
  return literal
}

/** Of a name or pattern: `*` stands for any number of characters, `?` for one. In time linear in the name. */
export const matches = (pattern: string, name: string): boolean => {
  if (pattern === name) return true
  let at = 0
  let from = 0
  // On a mismatch the last star stands for one character more.
  let star = -1
  let resume = 0
  while (at < name.length) {
    const expected = pattern[from]
    if (expected === "*") {
      star = from++
      resume = at
    } else if (expected !== undefined && (expected === "?" || expected === name[at])) {
      from++
      at++
    } else if (star >= 0) {
      from = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[from] === "*") from++
  return from === pattern.length
}

/** Of a checked input, in the order of `Policy.tools`. */
export const decode = (tools: Patterns = {}): ReadonlyArray<ToolRule> =>
  Object.entries(tools).flatMap(([pattern, options]): ReadonlyArray<ToolRule> => {
    if (options === undefined) return []
    const { timeout, ...others } = options
    return [{
      ...others,
      ...(timeout === undefined ? {} : { timeout: TimeSpan.millis(timeout) }),
      pattern,
      isForAll: forAllServers in options
    }]
  }).toSorted((a, b) =>
    Number(isGlob(a.pattern)) - Number(isGlob(b.pattern))
    || exactness(b.pattern) - exactness(a.pattern)
  )

/** Like `Policy.merge`. */
export const merge = (below: unknown, above: unknown): unknown => {
  if (!Predicate.isRecord(below) || !Predicate.isRecord(above)) return above === undefined ? below : above
  const merged = new Map(Object.entries(above))
  for (const [pattern, under] of Object.entries(below)) {
    const over = merged.get(pattern)
    if (over === undefined) merged.set(pattern, under)
    else if (Predicate.isRecord(over) && Predicate.isRecord(under)) {
      const { [forAllServers as never]: _, ...given } = under
      merged.set(pattern, { ...given, ...definite(over) })
    }
  }
  return Object.fromEntries(merged)
}

/** Copies symbols; leaves out what is `undefined`. */
const definite = (options: object): object => {
  const { ...copy } = options as Record<string, unknown>
  for (const name of Object.keys(copy)) if (copy[name] === undefined) delete copy[name]
  return copy
}

export const forAll = (tools: unknown): unknown =>
  Predicate.isRecord(tools)
    ? Object.fromEntries(
      Object.entries(tools).map(([pattern, one]) => [
        pattern,
        Predicate.isRecord(one) ? { ...one, [forAllServers]: true } : one
      ])
    )
    : tools

export interface Chosen extends Omit<Given.ToolOptions<number>, "concurrency"> {
  /** Limits its calls in flight; all tools of that rule share the limit. */
  readonly lane: ToolRule | undefined
}

/** Each option of the first match that has it; `rules` in the order of `decode`. */
export const choose = (rules: ReadonlyArray<ToolRule>, name: string): Chosen | undefined => {
  const matching = rules.filter(({ pattern }) => matches(pattern, name))
  if (matching.length === 0) return undefined
  const first = <K extends keyof ToolOptions>(key: K): ToolRule[K] =>
    matching.find((rule) => rule[key] !== undefined)?.[key]
  return {
    timeout: first("timeout"),
    retry: first("retry"),
    idempotent: first("idempotent"),
    lane: matching.find(({ concurrency }) => concurrency !== undefined)
  }
}

/** Names come from callers: how many are kept, and how long at most. */
const most = 1000
const longest = 256

export interface ToolRules {
  readonly rules: ReadonlyArray<ToolRule>
  readonly found: Map<string, Chosen | undefined>
}

const none: ToolRules = { rules: [], found: new Map() }

export const make = (rules: ReadonlyArray<ToolRule>): ToolRules =>
  rules.length === 0 ? none : { rules, found: new Map() }

export const of = <M extends Method>(self: ToolRules, method: M, params: Params<M>): Chosen | undefined => {
  if (method !== "tools/call") return undefined
  const name: unknown = (params as Partial<Params<"tools/call">> | undefined)?.name
  return typeof name === "string" ? tool(self, name) : undefined
}

export const tool = ({ found, rules }: ToolRules, name: string): Chosen | undefined => {
  if (rules.length === 0) return undefined
  const known = found.get(name)
  if (known !== undefined || found.has(name)) return known
  const chosen = choose(rules, name)
  if (name.length > longest) return chosen
  if (found.size >= most) found.clear()
  found.set(name, chosen)
  return chosen
}

export interface Unmatched {
  readonly pattern: string
  readonly meant: string | undefined
}

export const unmatched = (
  rules: ReadonlyArray<ToolRule>,
  names: ReadonlyArray<string>
): ReadonlyArray<Unmatched> =>
  rules.flatMap(({ isForAll, pattern }) =>
    isForAll || names.some((name) => matches(pattern, name))
      ? []
      : [{ pattern, meant: Problem.nearest(pattern, names) }]
  )

export const describe = ({ meant, pattern }: Unmatched): string =>
  `tools.${pattern} has no effect: the server has no such tool${
    meant === undefined ? "" : `; did you mean "${meant}"?`
  }`

export const describeAll = (all: ReadonlyArray<Unmatched>): string => all.map(describe).join(". ")
