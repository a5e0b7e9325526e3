/**
 * The options of a server in a file or an object: those of a backend, and of what extends it.
 */
import { type Backend, Policy, type TimeSpan } from "@mcp-lifeline/core"
import { Check, type Problem, Tools } from "@mcp-lifeline/core/internal"
import { Predicate, Record } from "effect"
import type * as Given from "./ExtensionOptions.js"
import * as Filters from "./Filters.js"
import * as ListFilter from "./filters/ListFilter.js"
import * as Pins from "./Pins.js"

/** A length of time is a number of milliseconds, a text such as `"5s"`, or a Duration. */
export interface ServerOptions extends Given.ServerOptions<TimeSpan> {}

type Tools = NonNullable<ServerOptions["tools"]>

/** Tells the lists `hide` and `only` from the options of a tool of that name. */
const isFilter = (value: unknown, name: string): boolean =>
  ListFilter.names.includes(name) && !Predicate.isRecord(value)

/** Rules by tool are core's; what has the name of a list is ours if it is none of them. */
const split = (tools: unknown): { readonly rules: unknown; readonly lists: Readonly<Record<string, unknown>> } => {
  if (!Predicate.isRecord(tools)) return { rules: tools, lists: {} }
  const [rules, lists] = Record.partition(tools as Readonly<Record<string, unknown>>, isFilter)
  return { rules, lists }
}

const checkTools: Check.Check = Check.described(
  (value, path) => {
    if (!Predicate.isRecord(value)) return Tools.check(value, path)
    return Object.entries(value).flatMap(([name, one]) =>
      one === undefined
        ? []
        : isFilter(one, name)
        ? ListFilter.checks.hide(one, [...path, name])
        : Tools.check({ [name]: one }, path)
    )
  },
  {
    type: "object",
    properties: Record.map(
      ListFilter.schemas,
      (schema) => ({ anyOf: [schema, { $ref: "#/definitions/tools/additionalProperties" }] })
    ),
    ...Tools.check.schema
  }
)

const extensions = {
  tools: checkTools,
  prompts: ListFilter.check("prompts"),
  resources: ListFilter.check("resources"),
  pin: Check.oneOf("off", "warn", "block")
}

/** The names of the groups of options, and of the options that stand in none. */
export const groups: ReadonlyArray<keyof ServerOptions> = [...Policy.groups, "prompts", "resources", "pin"]

/** The check of each group. */
export const checks: Readonly<Record<keyof ServerOptions, Check.Check>> = { ...Policy.checks, ...extensions }

/** The check of an object with groups of options, and with `others` beside them. */
export const checkWith = (others: Readonly<Record<string, Check.Check>>): Check.Check =>
  Policy.checkWith({ ...extensions, ...others })

const checkAll = checkWith({})

/** All problems of these options; empty if they are valid. */
export const problems = (options: unknown): ReadonlyArray<Problem.Problem> => checkAll(options, [])

/** The groups of options alone, from an object that may have other members, such as `connector`. */
export const pick = (options: ServerOptions): ServerOptions =>
  Object.fromEntries(groups.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))

/** The JSON Schema of each group, with defaults. Defaults of durations are in milliseconds. */
export const schemas = (): Readonly<Record<string, Check.JsonSchema>> => ({
  ...Policy.schemas(),
  ...Record.map(extensions, ({ schema }) => schema ?? {}),
  pin: { ...extensions.pin.schema, default: "off" }
})

/** Merges two sets of options, option by option. `above` wins, except where it has `undefined`. What is no object stays, to be refused. */
export const merge = (below: ServerOptions, above: ServerOptions): ServerOptions => {
  const [under, over] = [split(below.tools), split(above.tools)]
  const given = (options: ServerOptions, rules: unknown) => ({ ...options, tools: rules }) as Policy.PolicyOptions
  const { tools: rules, ...others } = Policy.merge(given(below, under.rules), given(above, over.rules))
  const lists = ListFilter.merge(under.lists, over.lists) as object
  const both = (kind: "prompts" | "resources") => {
    const merged = ListFilter.merge(below[kind], above[kind]) as Given.ListFilter | undefined
    return merged === undefined ? {} : { [kind]: merged }
  }
  const tools = Predicate.isRecord(rules) || rules === undefined ? { ...rules, ...lists } : rules
  const isGiven = below.tools !== undefined || above.tools !== undefined
  return { ...others, ...both("prompts"), ...both("resources"), ...(isGiven ? { tools: tools as Tools } : {}) }
}

/** The same options, given for several servers: Lifeline warns of no name or pattern that one of them does not have. */
export const forAll = ({ prompts, resources, tools, ...options }: ServerOptions): ServerOptions => {
  const { lists, rules } = split(tools)
  const marked = Policy.forAll({
    ...options,
    ...(tools === undefined ? {} : { tools: rules as Policy.PolicyOptions["tools"] })
  })
  return {
    ...marked,
    ...(tools === undefined || !Predicate.isRecord(tools)
      ? {}
      : { tools: { ...marked.tools, ...(ListFilter.forAll(lists) as object) } }),
    ...(prompts === undefined ? {} : { prompts: ListFilter.forAll(prompts) as Given.ListFilter }),
    ...(resources === undefined ? {} : { resources: ListFilter.forAll(resources) as Given.ListFilter })
  }
}

/** What these options hide. */
export const filtersOf = ({ prompts, resources, tools }: ServerOptions): Filters.Options => ({
  tools: split(tools).lists,
  prompts,
  resources
})

/** The same as options of a backend. `store`: of the definitions for `pin`. */
export const forBackend = <O extends ServerOptions>(
  options: O,
  store?: Pins.Options["store"]
): Omit<O, "pin" | "prompts" | "resources" | "tools"> & Pick<Backend.BackendOptions, "extensions" | "tools"> => {
  const { pin, prompts: _prompts, resources: _resources, tools, ...others } = options
  return {
    ...others,
    ...(tools === undefined ? {} : { tools: split(tools).rules as Policy.PolicyOptions["tools"] }),
    extensions: [...Filters.fromOptions(filtersOf(options)), ...Pins.fromOption(pin, store)]
  }
}
