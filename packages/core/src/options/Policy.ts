/**
 * All options of a backend: their defaults and ranges; how they are decoded once into milliseconds; and the same as a `Config`.
 */
import { Config, Either, Option, ParseResult, Predicate, Schema } from "effect"
import type { InvalidOptions } from "../Errors.js"
import type { Connector } from "../port/Connector.js"
import type * as Given from "./PolicyOptions.js"
import * as Problem from "./Problem.js"
import * as TimeSpan from "./TimeSpan.js"
import { day, hour, minute, second } from "./TimeText.js"

export type { CallsOptions, HealthOptions, KeepaliveMethod } from "./PolicyOptions.js"

/** How a session is kept alive, and how a dead one is found. */
export type KeepaliveOptions = Given.KeepaliveOptions<TimeSpan.TimeSpan>
/** How a lost connection comes back. */
export type ReconnectOptions = Given.ReconnectOptions<TimeSpan.TimeSpan>
/** How long things may take. */
export type TimeoutOptions = Given.TimeoutOptions<TimeSpan.TimeSpan>
/** When a connection is made and let go. */
export type LifecycleOptions = Given.LifecycleOptions<TimeSpan.TimeSpan>
/** How the catalogue is read. */
export type DiscoveryOptions = Given.DiscoveryOptions<TimeSpan.TimeSpan>
/** The options of a backend. A length of time is a number of milliseconds, a text such as `"5s"`, or a Duration. */
export type PolicyOptions = Given.PolicyOptions<TimeSpan.TimeSpan>

/** The milliseconds of a length of time that lies between two bounds. */
const inRange = (input: unknown, min: number, max: number): number | undefined => {
  const millis = TimeSpan.toMillis(input)
  return millis !== undefined && millis >= min && millis <= max ? millis : undefined
}

/** A length of time in milliseconds. */
const duration = (min: number, max: number) =>
  Schema.transformOrFail(Schema.Unknown, Schema.Number, {
    strict: true,
    decode: (input, _, ast) => {
      const millis = inRange(input, min, max)
      return millis === undefined
        ? ParseResult.fail(new ParseResult.Type(ast, input, `accepted: ${TimeSpan.range(min, max)}`))
        : ParseResult.succeed(millis)
    },
    encode: (millis) => ParseResult.succeed(millis as unknown)
  })

const accepted = <A, I>(schema: Schema.Schema<A, I>, what: string) =>
  schema.annotations({ message: () => ({ message: `accepted: ${what}`, override: true }) })

/** A length of time in milliseconds, or `undefined` for never. */
const durationOrNever = (min: number, max: number) =>
  accepted(
    Schema.Union(
      Schema.transform(Schema.Literal("never"), Schema.Undefined, {
        strict: true,
        decode: () => undefined,
        encode: () => "never" as const
      }),
      duration(min, max)
    ),
    `${TimeSpan.range(min, max)}, or "never"`
  )

const count = (min: number, max: number) =>
  accepted(Schema.Int.pipe(Schema.between(min, max)), `a whole number from ${min} to ${max}`)

const flag = accepted(Schema.Boolean, "true or false")

const oneOf = <const A extends readonly [string, ...Array<string>]>(...values: A) =>
  accepted(Schema.Literal(...values), values.map((value) => `"${value}"`).join(" or "))

const method = accepted(
  Schema.String.pipe(
    Schema.filter((value): value is Given.KeepaliveMethod => /^(ping|tool:.+|options|none)$/.test(value))
  ),
  '"ping", "tool:<name>", "options" or "none"'
)

const or = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>) =>
  Schema.optionalWith(schema, { default: () => value })

const Keepalive = Schema.Struct({
  /** Whether the method was given, which overrides what would turn keepalive off. */
  method: Schema.optional(method),
  toolArguments: or(accepted(Schema.Record({ key: Schema.String, value: Schema.Unknown }), "an object"), {}),
  interval: or(duration(second, day), 5 * minute),
  timeout: or(duration(1, hour), 10 * second),
  fallbackAfter: or(count(1, 1000), 2),
  failureThreshold: or(count(1, 1000), 3),
  suspectInterval: or(duration(1, day), 10 * second),
  reprobeAfter: or(duration(second, 7 * day), 30 * minute),
  idleTtl: Schema.optional(
    accepted(
      Schema.Union(Schema.Literal("never"), duration(2 * second, 365 * day)),
      '2 s to 365 d, or "never"'
    )
  ),
  authenticated: or(flag, true)
})

const Reconnect = Schema.Struct({
  auto: or(flag, true),
  initialDelay: or(duration(1, hour), second),
  factor: or(accepted(Schema.Number.pipe(Schema.between(1, 100)), "a number from 1 to 100"), 2),
  maxDelay: or(duration(1, day), minute),
  maxAttempts: or(count(0, 1_000_000), 5),
  stableAfter: or(duration(0, day), 10 * second),
  dormantProbe: or(duration(second, 7 * day), 5 * minute),
  maxRetryAfter: or(duration(0, 7 * day), 10 * minute),
  demandInterval: or(duration(1, day), second),
  overlap: Schema.optional(flag)
})

const Timeouts = Schema.Struct({
  connect: or(duration(1, day), 30 * second),
  request: or(duration(1, 7 * day), minute),
  wait: or(duration(0, day), 10 * second),
  close: or(duration(1, hour), 5 * second),
  drain: or(duration(0, day), 10 * second)
})

const Calls = Schema.Struct({
  retry: or(oneOf("safe", "never"), "safe"),
  trustAnnotations: or(flag, true),
  failFast: or(flag, false),
  afterSessionLoss: or(oneOf("resume", "fail"), "resume"),
  maxInFlight: or(count(1, 1_000_000), 1000),
  maxWaiting: or(count(0, 1_000_000), 1000)
})

const Lifecycle = Schema.Struct({
  lazy: or(flag, false),
  idleRelease: or(durationOrNever(1, 365 * day), undefined),
  disabled: or(flag, false)
})

const Discovery = Schema.Struct({
  mode: or(oneOf("eager", "learn"), "eager"),
  refreshInterval: or(durationOrNever(second, 7 * day), undefined),
  minRefreshInterval: or(duration(1, day), 300),
  maxPages: or(count(1, 1_000_000), 100),
  maxEntries: or(count(1, 10_000_000), 10_000)
})

const Health = Schema.Struct({ failureThreshold: or(count(1, 1000), 3) })

const withDefaults = <A, I extends object>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(schema, { default: () => Schema.decodeUnknownSync(schema)({}) })

/** The schema of the options, for programs that read them from elsewhere: durations decode to milliseconds. */
export const PolicySchema = Schema.Struct({
  keepalive: withDefaults(Keepalive),
  reconnect: withDefaults(Reconnect),
  timeouts: withDefaults(Timeouts),
  health: withDefaults(Health),
  calls: withDefaults(Calls),
  lifecycle: withDefaults(Lifecycle),
  discovery: withDefaults(Discovery)
})

/** The options once decoded: every duration in milliseconds, every default filled in; `undefined` stands for never. */
export type Policy = typeof PolicySchema.Type

/** The names of the groups. */
export const groups = Object.keys(PolicySchema.fields) as ReadonlyArray<keyof PolicyOptions>

/** The names of the options of each group. */
const names: Readonly<Record<keyof PolicyOptions, ReadonlyArray<string>>> = {
  keepalive: Object.keys(Keepalive.fields),
  reconnect: Object.keys(Reconnect.fields),
  timeouts: Object.keys(Timeouts.fields),
  health: Object.keys(Health.fields),
  calls: Object.keys(Calls.fields),
  lifecycle: Object.keys(Lifecycle.fields),
  discovery: Object.keys(Discovery.fields)
}

const isGroup = (name: string): name is keyof PolicyOptions => Object.hasOwn(names, name)

/** The groups among other options. */
export const pick = (options: PolicyOptions): PolicyOptions =>
  Object.fromEntries(groups.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))

/** The value at a path of an input that was not accepted. */
const valueAt = (input: unknown, path: Problem.Path): unknown =>
  path.reduce<unknown>((value, key) => Predicate.isRecord(value) ? value[key as string] : undefined, input)

/** An option that does not exist. What stands in its place is not shown: it may be a secret. */
const unknown = (path: Problem.Path): Problem.Problem => {
  const [group = "", name] = path.map(String)
  if (name !== undefined && isGroup(group)) return Problem.unknown(path, names[group], { of: group })
  const home = groups.find((one) => names[one].includes(group))
  const near = Problem.nearest(group, groups) ?? (home && `${home}.${group}`)
  return Problem.unknown(path, groups, { meant: near })
}

const check = (options: unknown): Either.Either<Policy, Problem.Problems> =>
  Either.mapLeft(
    Schema.decodeUnknownEither(PolicySchema)(options, { onExcessProperty: "error", errors: "all" }),
    (error) => {
      const found = new Map<string, Problem.Problem>()
      for (const { _tag, message, path } of ParseResult.ArrayFormatter.formatErrorSync(error)) {
        const keys = path as Problem.Path
        const value = valueAt(options, keys)
        const [, what] = /^accepted: (.*)$/s.exec(message) ?? []
        // Of an optional option it is said once more that it is not `undefined` either.
        if (_tag !== "Unexpected" && what === undefined && (keys.length > 1 || Predicate.isRecord(value))) continue
        found.set(
          Problem.showPath(keys),
          _tag === "Unexpected" ? unknown(keys) : Problem.wrong(keys, value, what ?? "an object of options")
        )
      }
      return [...found.values()] as unknown as Problem.Problems
    }
  )

/** Everything that is wrong with options; nothing where they can be used. */
export const problems = (options: unknown): ReadonlyArray<Problem.Problem> =>
  Either.match(check(options), { onLeft: (found) => found, onRight: () => [] })

/**
 * Decodes options, once, when a backend is made. The error names every option that is not acceptable with its path, its
 * value and what would be accepted, and every one that does not exist with the one that was probably meant.
 */
export const decode = (backend: string, options: PolicyOptions): Either.Either<Policy, InvalidOptions> =>
  Either.mapLeft(check(options), (found) => Problem.refuse(backend, found))

/** A InvalidOptions about one option. */
export const invalid = (backend: string, field: string, value: unknown, accepted: string): InvalidOptions =>
  Problem.refuse(backend, [Problem.wrong([field], value, accepted)])

/** The defaults of every option. */
export const defaults: Policy = Either.getOrThrow(decode("", {}))

/**
 * The policy of one backend: a fleet's defaults below its own options, checked against what its transport can do.
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

/** What a transport cannot do. */
export const unfit = (connector: Connector, { keepalive }: PolicyOptions): Problem.Problem | undefined =>
  keepalive?.method === "options" && connector.heartbeat !== true
    ? Problem.wrong(
      ["keepalive", "method"],
      "options",
      `"ping", "tool:<name>" or "none"; only HTTP backends know OPTIONS, this one is ${connector.transport}`
    )
    : undefined

/** One set of options over another, group by group; `undefined` leaves what is below. */
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

const text = (name: string) => Config.option(Config.string(name))
const whole = (name: string) => Config.option(Config.integer(name))
const yesOrNo = (name: string) => Config.option(Config.boolean(name))

/** A group of options that may each be missing. */
const groupOf = (
  name: keyof PolicyOptions,
  fields: Record<string, Config.Config<Option.Option<unknown>>>
): Config.Config<PolicyOptions> =>
  Config.nested(Config.all(fields), name).pipe(
    Config.map((values) => ({
      [name]: Object.fromEntries(
        Object.entries(values).flatMap(([key, value]) => Option.isSome(value) ? [[key, value.value]] : [])
      )
    }))
  )

/**
 * The options as a `Config`, by their names: `keepalive.interval`, `reconnect.maxDelay` and so on; what is not configured has
 * its default. Durations are texts such as "5 minutes". Values are checked when the backend is made, as all options are.
 * Nest it to read those of one backend; `toolArguments` cannot be configured this way.
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
export const config: Config.Config<PolicyOptions> = Config.all([
  groupOf("keepalive", {
    method: text("method"),
    interval: text("interval"),
    timeout: text("timeout"),
    fallbackAfter: whole("fallbackAfter"),
    failureThreshold: whole("failureThreshold"),
    suspectInterval: text("suspectInterval"),
    reprobeAfter: text("reprobeAfter"),
    idleTtl: text("idleTtl"),
    authenticated: yesOrNo("authenticated")
  }),
  groupOf("reconnect", {
    auto: yesOrNo("auto"),
    initialDelay: text("initialDelay"),
    factor: Config.option(Config.number("factor")),
    maxDelay: text("maxDelay"),
    maxAttempts: whole("maxAttempts"),
    stableAfter: text("stableAfter"),
    dormantProbe: text("dormantProbe"),
    maxRetryAfter: text("maxRetryAfter"),
    demandInterval: text("demandInterval"),
    overlap: yesOrNo("overlap")
  }),
  groupOf("timeouts", {
    connect: text("connect"),
    request: text("request"),
    wait: text("wait"),
    close: text("close"),
    drain: text("drain")
  }),
  groupOf("health", { failureThreshold: whole("failureThreshold") }),
  groupOf("calls", {
    retry: text("retry"),
    trustAnnotations: yesOrNo("trustAnnotations"),
    failFast: yesOrNo("failFast"),
    afterSessionLoss: text("afterSessionLoss"),
    maxInFlight: whole("maxInFlight"),
    maxWaiting: whole("maxWaiting")
  }),
  groupOf("lifecycle", { lazy: yesOrNo("lazy"), idleRelease: text("idleRelease"), disabled: yesOrNo("disabled") }),
  groupOf("discovery", {
    mode: text("mode"),
    refreshInterval: text("refreshInterval"),
    minRefreshInterval: text("minRefreshInterval"),
    maxPages: whole("maxPages"),
    maxEntries: whole("maxEntries")
  })
]).pipe(Config.map((groups) => Object.assign({}, ...groups) as PolicyOptions))
