/**
 * All options of a backend: their defaults and ranges; how they are decoded once into milliseconds; and the same as a `Config`.
 */
import { Array as Arr, Config, Either, Option, Predicate } from "effect"
import { defaultDepth } from "../catalog/Nesting.js"
import type { InvalidOptions } from "../Errors.js"
import type { Connector } from "../port/Connector.js"
import * as Check from "./Check.js"
import type * as Given from "./PolicyOptions.js"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"
import { day, hour, minute, second } from "./TimeText.js"

export type { CallsOptions, HealthOptions, KeepaliveMethod } from "./PolicyOptions.js"

/** How a session is kept alive, and how a dead one is found. */
export type KeepaliveOptions = Given.KeepaliveOptions<TimeSpan.TimeSpan>
/** How Lifeline reconnects after a connection was lost. */
export type ReconnectOptions = Given.ReconnectOptions<TimeSpan.TimeSpan>
/** How long things may take. */
export type TimeoutOptions = Given.TimeoutOptions<TimeSpan.TimeSpan>
/** When a connection is opened, and when an unused one is closed. */
export type LifecycleOptions = Given.LifecycleOptions<TimeSpan.TimeSpan>
/** When and how Lifeline reads the server's lists. */
export type DiscoveryOptions = Given.DiscoveryOptions<TimeSpan.TimeSpan>
/** The options of a backend. A length of time is a number of milliseconds, a text such as `"5s"`, or a Duration. */
export type PolicyOptions = Given.PolicyOptions<TimeSpan.TimeSpan>

/** The rules of one option. */
interface Rule<A> {
  readonly check: Check.Check
  /** The value of an input that has passed the check. */
  readonly decode: (input: unknown) => A
  /** The default. */
  readonly otherwise: A
  /** Reads it from a `Config`. `undefined` if it cannot be configured this way. */
  readonly config: ((name: string) => Config.Config<unknown>) | undefined
}

/** A value that is used as it is given. */
const plain = <A>(check: Check.Check, otherwise: A, config: Rule<A>["config"]): Rule<A> => ({
  check,
  decode: (input) => input as A,
  otherwise,
  config
})

const flag = <A extends boolean | undefined>(otherwise: A): Rule<boolean | A> =>
  plain<boolean | A>(Check.flag, otherwise, Config.boolean)

const count = (min: number, max: number, otherwise: number): Rule<number> =>
  plain(Check.whole(min, max), otherwise, Config.integer)

const oneOf = <const A extends ReadonlyArray<string>>(otherwise: A[number], ...accepted: A): Rule<A[number]> =>
  plain(Check.oneOf(...accepted), otherwise, Config.string)

const isBetween = (input: unknown, min: number, max: number): boolean => {
  const millis = TimeSpan.toMillis(input)
  return millis !== undefined && millis >= min && millis <= max
}

/** A length of time, decoded to milliseconds. */
const duration = (min: number, max: number, otherwise: number): Rule<number> => ({
  check: Check.is((input) => isBetween(input, min, max), TimeSpan.range(min, max), Check.spanSchema(min, max)),
  decode: (input) => TimeSpan.millis(input as TimeSpan.TimeSpan),
  otherwise,
  config: Config.string
})

/** A length of time, or "never", which is decoded to `never`; not given by default. */
const durationOrNever = <A>(min: number, max: number, never: A): Rule<number | A | undefined> => ({
  check: Check.is(
    (input) => input === "never" || isBetween(input, min, max),
    `${TimeSpan.range(min, max)}, or "never"`,
    { anyOf: [Check.spanSchema(min, max), { const: "never" }] }
  ),
  decode: (input) => input === "never" ? never : TimeSpan.millis(input as TimeSpan.TimeSpan),
  otherwise: undefined,
  config: Config.string
})

/** Every option: one table for the decoder, the type of what is decoded, and the `Config`. */
const table = {
  keepalive: {
    /** Whether it was given counts: a method overrides what would turn keepalive off. */
    method: plain<Given.KeepaliveMethod | undefined>(
      Check.is(
        (input) => Predicate.isString(input) && /^(ping|tool:.+|options|none)$/.test(input),
        '"ping", "tool:<name>", "options" or "none"',
        { type: "string", pattern: "^(ping|tool:.+|options|none)$" }
      ),
      undefined,
      Config.string
    ),
    toolArguments: plain<{ readonly [key: string]: unknown }>(Check.object, {}, undefined),
    interval: duration(second, day, 5 * minute),
    timeout: duration(1, hour, 10 * second),
    fallbackAfter: count(1, 1000, 2),
    failureThreshold: count(1, 1000, 3),
    suspectInterval: duration(1, day, 10 * second),
    reprobeAfter: duration(second, 7 * day, 30 * minute),
    idleTtl: durationOrNever(2 * second, 365 * day, "never" as const),
    authenticated: flag(true)
  },
  reconnect: {
    auto: flag(true),
    initialDelay: duration(1, hour, second),
    factor: plain<number>(
      Check.is((input) => Predicate.isNumber(input) && input >= 1 && input <= 100, "a number from 1 to 100", {
        type: "number",
        minimum: 1,
        maximum: 100
      }),
      2,
      Config.number
    ),
    maxDelay: duration(1, day, minute),
    maxAttempts: count(0, 1_000_000, 5),
    stableAfter: duration(0, day, 10 * second),
    dormantProbe: duration(second, 7 * day, 5 * minute),
    maxRetryAfter: duration(0, 7 * day, 10 * minute),
    demandInterval: duration(1, day, second),
    overlap: flag(undefined)
  },
  timeouts: {
    connect: duration(1, day, 30 * second),
    request: duration(1, 7 * day, minute),
    wait: duration(0, day, 10 * second),
    close: duration(1, hour, 5 * second),
    drain: duration(0, day, 10 * second)
  },
  health: { failureThreshold: count(1, 1000, 3) },
  calls: {
    retry: oneOf("safe", "safe", "never"),
    trustAnnotations: flag(true),
    failFast: flag(false),
    afterSessionLoss: oneOf("resume", "resume", "fail"),
    maxInFlight: count(1, 1_000_000, 1000),
    maxWaiting: count(0, 1_000_000, 1000)
  },
  lifecycle: {
    lazy: flag(false),
    idleRelease: durationOrNever(1, 365 * day, undefined),
    disabled: flag(false)
  },
  discovery: {
    mode: oneOf("eager", "eager", "learn"),
    refreshInterval: durationOrNever(second, 7 * day, undefined),
    minRefreshInterval: duration(1, day, 300),
    maxPages: count(1, 1_000_000, 100),
    maxEntries: count(1, 10_000_000, 10_000),
    maxDepth: count(10, 2000, defaultDepth)
  }
} satisfies {
  readonly [G in keyof Required<PolicyOptions>]: {
    readonly [K in keyof Required<NonNullable<PolicyOptions[G]>>]: Rule<unknown>
  }
}

type Table = typeof table
type Group = keyof Table
type Decoded<O> = O extends Rule<infer A> ? A : never

/**
 * The options of a backend after decoding: each duration in milliseconds, and a default in place of each option that was not given.
 *
 * Options whose default is no value are `undefined`: `keepalive.method` (ping, unless `idleTtl` turns keepalive off), `keepalive.idleTtl`
 * (not known), `reconnect.overlap` (as the connector says), `lifecycle.idleRelease` and `discovery.refreshInterval` (never).
 */
export type Policy = { readonly [G in Group]: { readonly [K in keyof Table[G]]: Decoded<Table[G][K]> } }

/** The names of the groups of options: `keepalive`, `reconnect` and so on. */
export const groups = Object.keys(table) as ReadonlyArray<Group>

const optionsOf = (group: Group): Readonly<Record<string, Rule<unknown>>> => table[group]

/** The groups of options alone, from an object that may have other members, such as `connector`. */
export const pick = (options: PolicyOptions): PolicyOptions =>
  Object.fromEntries(groups.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))

/** An option that does not exist. What stands in its place is not shown: it may be a secret. */
const unknown = (path: Problem.Path): Problem.Problem => {
  const [group = "", name] = path.map(String)
  if (name !== undefined) return Problem.unknown(path, Object.keys(optionsOf(group as Group)), { of: group })
  const home = groups.find((one) => Object.hasOwn(table[one], group))
  const near = Problem.nearest(group, groups) ?? (home && `${home}.${group}`)
  return Problem.unknown(path, groups, { meant: near })
}

/** The policy of a backend that sets no option. */
export const defaults = Object.fromEntries(groups.map((group) => [
  group,
  Object.fromEntries(Object.entries(optionsOf(group)).map(([name, { otherwise }]) => [name, otherwise]))
])) as Policy

/** The JSON Schema of each group, with defaults. Defaults of durations are in milliseconds. */
export const schemas = (): Readonly<Record<string, Check.JsonSchema>> =>
  Object.fromEntries(groups.map((group) => [
    group,
    {
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries(optionsOf(group)).map(([name, { check, otherwise }]) => [
          name,
          { ...check.schema, ...(otherwise === undefined ? {} : { default: otherwise }) }
        ])
      )
    }
  ]))

const check = (options: unknown): Either.Either<Policy, Problem.Problems> => {
  const problems: Array<Problem.Problem> = []
  const given = (path: Problem.Path, value: unknown, known: object): Readonly<Record<string, unknown>> => {
    if (!Predicate.isRecord(value)) {
      problems.push(Problem.wrong(path, value, "an object of options"))
      return {}
    }
    for (const name of Object.keys(value)) {
      if (value[name] !== undefined && !Object.hasOwn(known, name)) problems.push(unknown([...path, name]))
    }
    return value
  }
  const all = given([], options, table)
  const policy = Object.fromEntries(groups.map((group) => {
    if (all[group] === undefined) return [group, defaults[group]]
    const values = given([group], all[group], table[group])
    const decoded = Object.entries(optionsOf(group)).map(([name, { check, decode, otherwise }]) => {
      const value = values[name]
      if (value === undefined) return [name, otherwise] as const
      const found = check(value, [group, name])
      for (const one of found) problems.push(one)
      return [name, found.length > 0 ? otherwise : decode(value)] as const
    })
    return [group, Object.fromEntries(decoded)]
  })) as Policy
  return Problem.some(problems) ? Either.left(problems) : Either.right(policy)
}

/** All problems of these options; empty if they are valid. */
export const problems = (options: unknown): ReadonlyArray<Problem.Problem> =>
  Either.match(check(options), { onLeft: (found) => found, onRight: () => [] })

/**
 * Checks and decodes options. The error lists each value that is not accepted, with its path and what is accepted, and each option that
 * does not exist, with the one that was probably meant.
 */
export const decode = (backend: string, options: PolicyOptions): Either.Either<Policy, InvalidOptions> =>
  Either.mapLeft(check(options), (found) => Problem.refuse(backend, found))

/** An InvalidOptions about one option. */
export const invalid = (backend: string, field: string, value: unknown, accepted: string): InvalidOptions =>
  Problem.refuse(backend, [Problem.wrong([field], value, accepted)])

/**
 * The policy of one backend: its own options, and the fleet's defaults for those that it does not set. Also refuses options that the
 * connector's transport does not support.
 */
export const resolve = (
  backend: string,
  connector: Connector,
  options: PolicyOptions,
  fleet: PolicyOptions = {}
): Either.Either<Policy, InvalidOptions> =>
  Either.mapLeft(
    Either.flatMap(check(merge(fleet, options)), (policy) => {
      const problem = unfit(connector, policy)
      return problem === undefined ? Either.right(policy) : Either.left([problem] as const)
    }),
    (found) => Problem.refuse(backend, found)
  )

/** The option that the connector's transport does not support, if there is one. */
export const unfit = (connector: Connector, { keepalive }: PolicyOptions): Problem.Problem | undefined =>
  keepalive?.method === "options" && connector.heartbeat !== true
    ? Problem.wrong(
      ["keepalive", "method"],
      "options",
      `"ping", "tool:<name>" or "none"; only HTTP backends know OPTIONS, this one is ${connector.transport}`
    )
    : undefined

/** Merges two sets of options, option by option. `above` wins, except where it has `undefined`. */
export const merge = (below: PolicyOptions, above: PolicyOptions): PolicyOptions => {
  const groups = new Set([...Object.keys(below), ...Object.keys(above)]) as Set<keyof PolicyOptions>
  const merged: Record<string, unknown> = {}
  for (const name of groups) {
    const over = Object.entries(above[name] ?? {}).filter(([, value]) => value !== undefined)
    merged[name] = above[name] === undefined || Predicate.isRecord(above[name])
      ? { ...below[name], ...Object.fromEntries(over) }
      : above[name]
  }
  return merged as PolicyOptions
}

/** A group of options as a `Config`. Each of them may be missing. */
const configOf = (options: Readonly<Record<string, Rule<unknown>>>): Config.Config<Readonly<Record<string, unknown>>> =>
  Config.map(
    Config.all(
      Object.entries(options).flatMap(([name, { config }]) =>
        config === undefined
          ? []
          : [Config.map(Config.option(config(name)), Option.map((value) => [name, value] as const))]
      )
    ),
    (values) => Object.fromEntries(Arr.getSomes(values))
  )

/**
 * Reads the options from Effect's configuration by their names: `keepalive.interval`, `reconnect.maxDelay` and so on. Options that are
 * not configured have their defaults. Write durations as texts such as "5 minutes". Nest this `Config` under a name to configure one
 * backend. Values are checked when the backend is made. `keepalive.toolArguments` cannot be configured this way.
 *
 * @example
 * import { Backend, Policy } from "@mcp-lifeline/core"
 * import type { Connector } from "@mcp-lifeline/core"
 * import { Config } from "effect"
 *
 * class Docs extends Backend.Tag("docs")<Docs>() {}
 *
 * export const docsLive = (connector: Connector) =>
 *   Docs.layerConfig(Config.map(Config.nested(Policy.config, "docs"), (policy) => ({ ...policy, connector })))
 */
export const config: Config.Config<PolicyOptions> = Config.map(
  Config.all(groups.map((group) => Config.nested(configOf(optionsOf(group)), group))),
  (all) => Object.fromEntries(all.map((values, i) => [groups[i], values])) as PolicyOptions
)
