import { type Backend, Policy, type TimeSpan } from "@mcp-lifeline/core"
import { Check, type Problem, Tools } from "@mcp-lifeline/core/options"
import { Array as Arr, Predicate, Record } from "effect"
import type * as Given from "./ExtensionOptions.js"
import * as Filters from "./Filters.js"
import * as ListFilter from "./filters/ListFilter.js"
import * as Pins from "./Pins.js"
import type * as PinStore from "./PinStore.js"

/** A length of time is a number of milliseconds, a text such as `"5s"`, or a Duration. */
export interface ServerOptions extends Given.ServerOptions<TimeSpan> {}

/** Not the options of a tool of that name. */
const isFilter = (value: unknown, name: string): boolean =>
  ListFilter.names.includes(name) && !Predicate.isRecord(value)

interface Split {
  /** What is no object stays, to be refused. */
  readonly rules: Policy.PolicyOptions["tools"]
  readonly lists: Given.ListFilter
}

/** Unchecked. Rules by tool are core's. */
const split = (tools: ServerOptions["tools"]): Split => {
  const given: unknown = tools
  if (!Predicate.isRecord(given)) return { rules: given as Split["rules"], lists: {} }
  const [rules, lists] = Arr.partition(Object.entries(given), ([name, value]) => isFilter(value, name))
  return { rules: Object.fromEntries(rules) as Split["rules"], lists: Object.fromEntries(lists) }
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

/** Also of options that stand in no group. */
export const groups: ReadonlyArray<keyof ServerOptions> = [...Policy.groups, "prompts", "resources", "pin"]

export const checks: Readonly<Record<keyof ServerOptions, Check.Check>> = { ...Policy.checks, ...extensions }

export const checkWith = (others: Readonly<Record<string, Check.Check>>): Check.Check =>
  Policy.checkWith({ ...extensions, ...others })

const checkAll = checkWith({})

export const problems = (options: unknown): ReadonlyArray<Problem.Problem> => checkAll(options, [])

/** Without other members, such as `connector`. */
export const pick = (options: ServerOptions): ServerOptions =>
  Object.fromEntries(groups.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))

/** With defaults; those of durations are in milliseconds. */
export const schemas = (): Readonly<Record<string, Check.JsonSchema>> => ({
  ...Policy.schemas(),
  ...Record.map(extensions, ({ schema }) => schema ?? {}),
  pin: { ...extensions.pin.schema, default: "off" }
})

/**
 * Option by option. `above` wins, except where it has `undefined`; but what one of them hides stays hidden, also from a rule for a tool
 * called `hide` or `only`. What is no object stays, to be refused.
 */
export const merge = (below: ServerOptions, above: ServerOptions): ServerOptions => {
  const [under, over] = [split(below.tools), split(above.tools)]
  const { tools: rules, ...others } = Policy.merge({ ...below, tools: under.rules }, { ...above, tools: over.rules })
  const lists = ListFilter.merge(under.lists, over.lists)
  const tools = rules === undefined || Predicate.isRecord(rules) ? { ...rules, ...lists } : rules
  const isGiven = below.tools !== undefined || above.tools !== undefined
  return {
    ...others,
    ...given("prompts", ListFilter.merge(below.prompts, above.prompts)),
    ...given("resources", ListFilter.merge(below.resources, above.resources)),
    ...given("tools", isGiven ? tools : undefined)
  }
}

const given = <K extends keyof ServerOptions>(name: K, value: ServerOptions[K]): Pick<ServerOptions, K> | undefined =>
  value === undefined ? undefined : { [name]: value } as unknown as Pick<ServerOptions, K>

/** For several servers: Lifeline warns of no name or pattern that one of them does not have. */
export const forAll = ({ prompts, resources, tools, ...options }: ServerOptions): ServerOptions => {
  const { lists, rules } = split(tools)
  const { tools: marked, ...others } = Policy.forAll({ ...options, tools: rules })
  return {
    ...others,
    ...given("prompts", ListFilter.forAll(prompts)),
    ...given("resources", ListFilter.forAll(resources)),
    ...given("tools", Predicate.isRecord(tools) ? { ...marked, ...ListFilter.forAll(lists) } : tools)
  }
}

export const filtersOf = ({ prompts, resources, tools }: ServerOptions): Filters.Options => ({
  tools: split(tools).lists,
  prompts,
  resources
})

/** `store`: for `pin`. */
export const forBackend = <O extends ServerOptions & Pick<Backend.BackendOptions, "extensions">>(
  options: O,
  store?: PinStore.PinStore
):
  & Omit<O, keyof Given.ExtensionOptions | "extensions" | "tools">
  & Pick<Backend.BackendOptions, "extensions" | "tools"> =>
{
  const { extensions = [], pin, prompts: _prompts, resources: _resources, tools, ...others } = options
  const own = [...Filters.fromOptions(filtersOf(options)), ...Pins.fromOption(pin, store && (() => store))]
  return { ...others, ...given("tools", split(tools).rules), extensions: [...own, ...extensions] }
}
