/** All options of a backend: defaults, ranges, decoding, and `Config`. */
import { Config, Either, Option, Predicate, Record } from "effect"
import type { InvalidOptions } from "../Errors.js"
import { defaultDepth } from "../internal/JsonValue.js"
import { day, hour, minute, second } from "../internal/Time.js"
import type { Connector } from "../port/Connector.js"
import * as Check from "./Check.js"
import type * as Given from "./PolicyOptions.js"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"
import * as Tools from "./Tools.js"

export type { KeepaliveMethod } from "./PolicyOptions.js"
export type { ToolOptions, ToolRule } from "./Tools.js"

export type KeepaliveOptions = Given.KeepaliveOptions<TimeSpan.TimeSpan>
export type ReconnectOptions = Given.ReconnectOptions<TimeSpan.TimeSpan>
export type TimeoutOptions = Given.TimeoutOptions<TimeSpan.TimeSpan>
export type HealthOptions = Given.HealthOptions<TimeSpan.TimeSpan>
export type CallsOptions = Given.CallsOptions<TimeSpan.TimeSpan>
export type LifecycleOptions = Given.LifecycleOptions<TimeSpan.TimeSpan>
export type DiscoveryOptions = Given.DiscoveryOptions<TimeSpan.TimeSpan>
/** Durations are milliseconds, texts such as `"5s"`, or Durations. */
export type PolicyOptions = Given.PolicyOptions<TimeSpan.TimeSpan>

interface Rule<A> {
  readonly check: Check.Check
  readonly otherwise: A
  /** Gets only checked input. */
  readonly decode: (input: never) => A
}

const rule = <A>(check: Check.Check, otherwise: A, decode: (input: never) => A = (input) => input): Rule<A> => ({
  check,
  otherwise,
  decode
})

const flag = <A extends boolean | undefined>(otherwise: A) => rule<boolean | A>(Check.flag, otherwise)

const count = (min: number, max: number, otherwise: number) => rule(Check.whole(min, max), otherwise)

const oneOf = <const A extends ReadonlyArray<string>>(otherwise: A[number], ...accepted: A) =>
  rule<A[number]>(Check.oneOf(...accepted), otherwise)

const duration = (min: number, max: number, otherwise: number) =>
  rule(Check.span(min, max, ""), otherwise, TimeSpan.millis)

const durationOrNever = <A, D extends number | undefined>(min: number, max: number, never: A, otherwise: D) =>
  rule<number | A | D>(
    Check.spanOrNever(min, max),
    otherwise,
    (input: TimeSpan.TimeSpan | "never") => input === "never" ? never : TimeSpan.millis(input)
  )

/** One table for the decoder, the decoded type, and the `Config`. Options by tool are not in it. */
const table = {
  keepalive: {
    /** If given, it overrides what would turn keepalive off. */
    method: rule<Given.KeepaliveMethod | undefined>(
      Check.matching(/^(ping|tool:.+|options|none)$/, '"ping", "tool:<name>", "options" or "none"'),
      undefined
    ),
    toolArguments: rule<{ readonly [key: string]: unknown }>(Check.object, {}),
    interval: duration(second, day, 5 * minute),
    timeout: duration(1, hour, 10 * second),
    fallbackAfter: count(1, 1000, 2),
    failureThreshold: count(1, 1000, 3),
    suspectInterval: duration(1, day, 10 * second),
    reprobeAfter: duration(second, 7 * day, 30 * minute),
    idleTtl: durationOrNever(2 * second, 365 * day, "never" as const, undefined),
    authenticated: flag(true)
  },
  reconnect: {
    auto: flag(true),
    initialDelay: duration(1, hour, second),
    factor: rule(Check.number(1, 100), 2),
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
  health: { busyLimit: duration(1, day, 2 * minute), enforce: flag(true) },
  calls: {
    retry: oneOf("safe", "safe", "never"),
    trustAnnotations: rule<boolean | ReadonlyArray<string>>(Check.flagOrNames, true),
    failFast: flag(false),
    tasks: oneOf("required", "required", "prefer", "never"),
    afterSessionLoss: oneOf("resume", "resume", "fail"),
    afterRefusal: oneOf("resend", "resend", "safe"),
    callId: flag(false),
    maxInFlight: count(1, 1_000_000, 1000),
    concurrency: rule<number | undefined>(Check.whole(1, 1_000_000), undefined),
    maxWaiting: count(0, 1_000_000, 10_000),
    progressInterval: durationOrNever(100, day, Number.POSITIVE_INFINITY, 15 * second)
  },
  lifecycle: {
    lazy: flag(false),
    idleRelease: durationOrNever(1, 365 * day, undefined, undefined),
    disabled: flag(false)
  },
  discovery: {
    mode: oneOf("eager", "eager", "learn"),
    refreshInterval: durationOrNever(second, 7 * day, undefined, undefined),
    minRefreshInterval: duration(1, day, 300),
    maxPages: count(1, 1_000_000, 100),
    maxEntries: count(1, 10_000_000, 10_000),
    maxDepth: count(10, 2000, defaultDepth)
  }
} satisfies {
  readonly [G in Exclude<keyof PolicyOptions, "tools">]: {
    readonly [K in keyof Required<NonNullable<PolicyOptions[G]>>]: Rule<unknown>
  }
}

type Table = typeof table
type Group = keyof Table
type Decoded<O> = O extends Rule<infer A> ? A : never

/** Decoded: durations in milliseconds, and defaults for options that were not given (`undefined` where there is none). */
export type Policy = { readonly [G in Group]: { readonly [K in keyof Table[G]]: Decoded<Table[G][K]> } } & {
  /** By tool: names first, then patterns from the most to the least exact. */
  readonly tools: ReadonlyArray<Tools.ToolRule>
}

const ruled = Object.keys(table) as ReadonlyArray<Group>

export const groups: ReadonlyArray<keyof PolicyOptions> = [...ruled, "tools"]

/** From an object that may have other members, such as `connector`. */
export const pick = (options: PolicyOptions): PolicyOptions =>
  Object.fromEntries(groups.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))

const byGroup = <A>(make: (rules: Readonly<Record<string, Rule<unknown>>>, group: Group) => A) =>
  Object.fromEntries(ruled.map((group) => [group, make(table[group], group)])) as { readonly [G in Group]: A }

/** Of a backend that sets no option. */
export const defaults = {
  ...byGroup((rules) => Record.map(rules, ({ otherwise }) => otherwise)),
  tools: Tools.decode()
} as unknown as Policy

/** Of each group, with defaults; those of durations in milliseconds. */
export const schemas = (): Readonly<Record<string, Check.JsonSchema>> => ({
  ...byGroup((rules) => ({
    type: "object",
    additionalProperties: false,
    properties: Record.map(rules, ({ check, otherwise }) => given({ ...check.schema, default: otherwise }))
  })),
  tools: Tools.check.schema ?? {}
})

export const checks: Readonly<Record<keyof PolicyOptions, Check.Check>> = {
  ...byGroup((rules, group) => Check.options(Record.map(rules, ({ check }) => check), group, { wrong: Problem.wrong })),
  tools: Tools.check
}

/** Of groups of options, with `others` beside them. */
export const checkWith = (others: Readonly<Record<string, Check.Check>>): Check.Check => {
  const known = [...groups, ...Object.keys(others)]
  return Check.options({ ...checks, ...others }, "", {
    wrong: Problem.wrong,
    unknown: (path) => {
      const name = String(path.at(-1))
      const home = ruled.find((group) => Object.hasOwn(table[group], name))
      return Problem.unknown(path, known, { meant: Problem.nearest(name, known) ?? (home && `${home}.${name}`) })
    }
  })
}

const checkAll = checkWith({})

const given = (options: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

export const problems = (options: unknown): ReadonlyArray<Problem.Problem> => checkAll(options, [])

/** The error lists everything that is wrong: its path, and what is accepted or was probably meant. */
export const decode = (backend: string, options: PolicyOptions): Either.Either<Policy, InvalidOptions> => {
  const found = problems(options)
  if (Problem.some(found)) return Either.left(Problem.refuse(backend, found))
  const decoded = byGroup((rules, group) => {
    const values = options[group]
    if (values === undefined) return defaults[group]
    return { ...defaults[group], ...Record.map(given(values), (value, name) => rules[name]?.decode(value as never)) }
  })
  const tools = options.tools === undefined ? defaults.tools : Tools.decode(options.tools)
  return Either.right({ ...decoded, tools } as Policy)
}

/** Own options win over the fleet's defaults. Also refuses what is `unfit`. */
export const resolve = (
  backend: string,
  connector: Connector,
  options: PolicyOptions,
  fleet: PolicyOptions = {}
): Either.Either<Policy, InvalidOptions> =>
  Either.flatMap(decode(backend, merge(forAll(fleet), options)), (policy) => {
    const problem = unfit(connector, policy)
    return problem === undefined ? Either.right(policy) : Either.left(Problem.refuse(backend, [problem]))
  })

/** What the connector's transport does not support. */
export const unfit = (
  connector: Connector,
  { keepalive }: Pick<PolicyOptions, "keepalive">
): Problem.Problem | undefined =>
  keepalive?.method === "options" && connector.heartbeat !== true
    ? Problem.wrong(
      ["keepalive", "method"],
      "options",
      `"ping", "tool:<name>" or "none"; only servers over HTTP know OPTIONS, this one is ${connector.transport}`
    )
    : undefined

/** Option by option. `above` wins, except where it has `undefined`. What is no object stays, to be refused. */
export const merge = (below: PolicyOptions, above: PolicyOptions): PolicyOptions => {
  const merged: Record<string, unknown> = { ...below }
  for (const [name, over] of Object.entries(given(above))) {
    const under = merged[name]
    if (name === "tools") merged[name] = Tools.merge(under, over)
    else if (!Predicate.isRecord(over)) merged[name] = over
    else if (under === undefined || Predicate.isRecord(under)) merged[name] = { ...under, ...given(over) }
  }
  return merged
}

/** For several servers: no warning of a name or pattern that one of them lacks. */
export const forAll = (options: PolicyOptions): PolicyOptions =>
  options.tools === undefined
    ? options
    : { ...options, tools: Tools.forAll(options.tools) as PolicyOptions["tools"] }

const readers: Readonly<Record<string, (name: string) => Config.Config<unknown>>> = {
  boolean: Config.boolean,
  "boolean,array": Config.boolean,
  integer: Config.integer,
  number: Config.number
}

const configOf = (rules: Readonly<Record<string, Rule<unknown>>>): Config.Config<Readonly<Record<string, unknown>>> =>
  Config.map(
    Config.all(Record.filterMap(rules, ({ check: { schema } }, name) => {
      const type = String(schema?.["type"])
      const read = readers[type] ?? Config.string
      return type === "object" ? Option.none() : Option.some(Config.withDefault(read(name), undefined))
    })),
    given
  )

/**
 * Reads the options by their names, such as `keepalive.interval`; others have their defaults. Durations are texts such as "5 minutes". Nest
 * this under a name to configure one backend. Values are checked when the backend is made. `keepalive.toolArguments`, `tools` and the list
 * of `calls.trustAnnotations` cannot be configured this way.
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
  Config.all(byGroup((rules, group) => Config.nested(configOf(rules), group))),
  (all) => all as PolicyOptions
)
