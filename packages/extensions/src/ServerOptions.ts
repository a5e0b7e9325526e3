/**
 * The options of a server in a file or an object: those of a backend, and of what extends it.
 */
import { Policy } from "@mcp-lifeline/core"
import { Check, Problem } from "@mcp-lifeline/core/internal"
import { Struct } from "effect"
import type { ExtensionOptions } from "./ExtensionOptions.js"

export interface ServerOptions extends Policy.PolicyOptions, ExtensionOptions {}

const extensions: Readonly<Record<keyof ExtensionOptions, Check.Check>> = { pin: Check.oneOf("off", "warn", "block") }

const names = Struct.keys(extensions)

/** The names of the groups of options, and of the options that stand in none. */
export const groups: ReadonlyArray<keyof ServerOptions> = [...Policy.groups, ...names]

/** The check of each group. */
export const checks: Readonly<Record<keyof ServerOptions, Check.Check>> = { ...Policy.checks, ...extensions }

/** The check of an object with groups of options, and with `others` beside them. */
export const checkWith = (others: Readonly<Record<string, Check.Check>>): Check.Check =>
  Policy.checkWith({ ...extensions, ...others })

const checkAll = checkWith({})

/** All problems of these options; empty if they are valid. */
export const problems = (options: unknown): ReadonlyArray<Problem.Problem> => checkAll(options, [])

/** The groups of options alone, from an object that may have other members, such as `connector`. */
export const pick = (options: ServerOptions): ServerOptions => ({
  ...Policy.pick(options),
  ...(options.pin === undefined ? {} : { pin: options.pin })
})

/** The JSON Schema of each group, with defaults. Defaults of durations are in milliseconds. */
export const schemas = (): Readonly<Record<string, Check.JsonSchema>> => ({
  ...Policy.schemas(),
  pin: { ...extensions.pin.schema, default: "off" }
})

/** Merges two sets of options, option by option. `above` wins, except where it has `undefined`. What is no object stays, to be refused. */
export const merge = Policy.merge as (below: ServerOptions, above: ServerOptions) => ServerOptions

/** The same options, given for several servers: Lifeline warns of no name or pattern that one of them does not have. */
export const forAll = Policy.forAll as (options: ServerOptions) => ServerOptions
