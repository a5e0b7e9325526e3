/**
 * What an `mcp.json`, or an object of the same shape, says: one reader for files and for code, so that both mean the same.
 *
 * Pure: variables are given. Values of `env` and `headers` are Redacted from here on, and no problem quotes a value that may
 * be secret.
 */
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Predicate, Redacted } from "effect"
import * as Check from "../options/Check.js"
import { nearest } from "../options/nearest.js"
import * as Policy from "../options/Policy.js"
import * as Problem from "../options/Problem.js"
import { expand, isPlain, type Variables } from "./Expansion.js"

export type { Variables } from "./Expansion.js"

/** Names and values of which the values are secret. */
export type Secrets = Readonly<Record<string, Redacted.Redacted>>

/** A server that is started as a child process. */
export interface StdioServer {
  readonly _tag: "Stdio"
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Secrets
  readonly cwd: string | undefined
  /** What stands under `stdio`: for the connector to check. */
  readonly stdio: Readonly<Record<string, unknown>>
}

/** Gives headers as code has them: not Redacted yet (see `secretsOf`). */
export type HeaderProvider = () => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>

/** A server that is reached over HTTP. */
export interface HttpServer {
  readonly _tag: "Http"
  readonly url: string
  readonly headers: Secrets
  /** Asked for headers for each request; only code can give it. */
  readonly headerProvider: HeaderProvider | undefined
  /** Only code can give it. */
  readonly authProvider: OAuthClientProvider | undefined
  /** An undici dispatcher; only code can give it. */
  readonly dispatcher: object | undefined
  /** Sends the requests in place of undici; only code can give it. */
  readonly fetch: FetchLike | undefined
  readonly transport: "auto" | "streamable" | "sse"
}

/** One server: how it is reached, and how it is supervised. */
export interface Server {
  readonly reach: StdioServer | HttpServer
  readonly policy: Policy.PolicyOptions
}

/** What was read, as far as it could be, and everything that is wrong with it. */
export interface Read<A> {
  readonly value: A | undefined
  readonly problems: ReadonlyArray<Problem.Problem>
}

type Raw = Readonly<Record<string, unknown>>

/** Other names in use for the same. */
const synonyms: Readonly<Record<string, string>> = {
  serverUrl: "url",
  httpUrl: "url",
  transport: "type",
  transportType: "type"
}

/** What people write for what they mean, where the letters alone do not tell. */
const meanings: Readonly<Record<string, string>> = {
  cmd: "command",
  arguments: "args",
  environment: "env",
  uri: "url",
  endpoint: "url",
  enabled: "disabled"
}

/** What stands in a server's entry for another program, and has no effect here. */
const foreign: ReadonlySet<string> = new Set([
  "alwaysAllow",
  "autoApprove",
  "autoStart",
  "description",
  "disabledTools",
  "enabledTools",
  "excludeTools",
  "gallery",
  "icon",
  "includeTools",
  "timeout",
  "tools",
  "trust",
  "version"
])

/** Options of the official SDK's transports that Lifeline does not take over, and what it does instead. */
const instead: Readonly<Record<string, string>> = {
  sessionId: "Lifeline keeps the session itself and makes a new one when it is lost. Leave it out",
  reconnectionOptions: "Lifeline reconnects by its own options. Write reconnect: { initialDelay, factor, maxDelay, "
    + "maxAttempts }",
  reconnectionScheduler: "Lifeline schedules its attempts itself. Leave it out; reconnect says how often it tries",
  eventSourceInit: "Lifeline opens the stream itself. Give headers for what is to be sent",
  stderr: "Lifeline reads the lines of stderr itself. Write stdio: { stderr: (line) => .. } in code"
}

const secret = Check.isSecret(
  (value) => Predicate.isString(value) || Predicate.isNumber(value) || Predicate.isBoolean(value),
  "a string, a number or a boolean"
)
const secrets = Check.values(secret, "an object of strings")

/** The connector looks at the options themselves. */
const stdio: Check.Check = (value, path) =>
  Predicate.isRecord(value)
    ? Object.keys(value).flatMap((name) =>
      name !== "stdio" && Object.hasOwn(stdioChecks, name)
        ? [{ path: [...path, name], message: "belongs beside stdio, not in it" }]
        : []
    )
    : [Problem.wrongSecret(path, value, "an object of options")]

const stdioChecks: Readonly<Record<string, Check.Check>> = {
  command: Check.text,
  args: Check.list(Check.string, "an array of strings"),
  env: secrets,
  cwd: Check.text,
  stdio
}

/** The connector looks at the rest of the address, which may have a password in it. */
const address: Check.Check = (value, path) =>
  /^https?:\/\/[^/\s]/i.test(String(value))
    ? []
    : [{ path, message: "is not an address; accepted: one that begins with http:// or https://" }]

const requestInit: Check.Check = (value, path) => {
  if (!Predicate.isRecord(value)) return [Problem.wrongSecret(path, value, "an object with headers")]
  return Object.keys(value).flatMap((name) =>
    name === "headers"
      ? headers(value[name], [...path, name])
      : value[name] === undefined
      ? []
      : [{
        path: [...path, name],
        message: "is not supported: Lifeline takes only the headers of requestInit. Leave it out"
      }]
  )
}

const headers: Check.Check = (value, path) => Predicate.isFunction(value) ? [] : secrets(pairs(value), path)

/** What a file cannot have: an object with functions. */
const instance = (what: string): Check.Check =>
  Check.isSecret(
    (value) => Predicate.isRecord(value) && !(isPlain(value) && !Object.values(value).some(Predicate.isFunction)),
    `${what}, which only code can give`
  )

const httpChecks: Readonly<Record<string, Check.Check>> = {
  url: address,
  headers,
  requestInit,
  authProvider: instance("an OAuthClientProvider of the official SDK"),
  dispatcher: instance("an undici dispatcher"),
  fetch: Check.isSecret(Predicate.isFunction, "a function, which only code can give")
}

const transports = {
  auto: "auto",
  http: "streamable",
  "streamable-http": "streamable",
  streamableHttp: "streamable",
  streamable_http: "streamable",
  sse: "sse"
} as const

const typeOf = {
  stdio: Check.is((value) => value === "stdio", '"stdio", since this server has a command'),
  http: Check.oneOf(...Object.keys(transports)),
  any: Check.oneOf("stdio", ...Object.keys(transports))
} as const

/** The keys whose strings may have variables in them. */
const expanded: ReadonlySet<string> = new Set(["command", "args", "env", "cwd", "url", "headers", "requestInit"])

const known = [
  ...Object.keys(stdioChecks),
  ...Object.keys(httpChecks),
  "type",
  "disabled",
  "lifeline",
  ...Policy.groups
]

/** Headers as a `Headers`, or as pairs, as an object of them. */
const pairs = (value: unknown): unknown => {
  if (!Predicate.isIterable(value) || Predicate.isString(value)) return value
  const all = [...value]
  const arePairs = all.every((one) => Array.isArray(one) && one.length === 2 && Predicate.isString(one[0]))
  return arePairs && (all.length > 0 || !Array.isArray(value))
    ? Object.fromEntries(all as ReadonlyArray<readonly [string, unknown]>)
    : value
}

/** Values as secrets, of an object, of pairs or of a `Headers`. */
export const secretsOf = (values: unknown): Secrets =>
  Object.fromEntries(
    Object.entries((pairs(values) ?? {}) as Raw).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Redacted.make(String(value))]]
    )
  )

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0

type Kind = "stdio" | "http"

/** An option of the official SDK's transports that is not supported. */
export const notTakenOver = (path: Problem.Path): Problem.Problem | undefined => {
  const key = String(path.at(-1))
  return Object.hasOwn(instead, key) ? { path, message: `is not supported: ${instead[key]}` } : undefined
}

/** Whether it is a key of a server. */
export const isKey = (key: unknown): boolean => known.includes(String(key))

/** A key that a server of this kind, or of any, does not have. */
const stranger = (key: string, kind: Kind | undefined): Problem.Problem => {
  const path = [key]
  const sdk = notTakenOver(path)
  if (sdk !== undefined) return sdk
  if (foreign.has(key)) {
    return { path, message: "belongs to another program and has no effect here; leave it out", key: "foreign" }
  }
  if (kind === "http" && Object.hasOwn(stdioChecks, key)) {
    return { path, message: "belongs to a server with a command, and this one has a url; leave it out" }
  }
  if (kind === "stdio" && Object.hasOwn(httpChecks, key)) {
    const instead = key === "headers" ? "env" : "env or args"
    return {
      path,
      message: `belongs to a server with a url, and this one has a command; leave it out, or pass it on by ${instead}`
    }
  }
  const meant = Object.hasOwn(meanings, key) ? meanings[key] : undefined
  const others = kind === "stdio" ? httpChecks : kind === "http" ? stdioChecks : {}
  return Problem.unknown(path, known.filter((name) => !Object.hasOwn(others, name)), { of: "a server", meant })
}

/** The options of supervision among others: in groups, or in groups under `lifeline`. */
const policyOf = (raw: Raw): { readonly policy: Policy.PolicyOptions; readonly problems: Array<Problem.Problem> } => {
  const direct = Policy.pick(raw)
  const { lifeline } = raw
  const problems = [...Policy.problems(direct)]
  if (lifeline === undefined) return { policy: direct, problems }
  problems.push(...Problem.below(["lifeline"], Policy.problems(lifeline)))
  if (!Predicate.isRecord(lifeline)) return { policy: direct, problems }
  for (const group of Policy.groups) {
    if (direct[group] === undefined || lifeline[group] === undefined) continue
    problems.push({ path: ["lifeline", group], message: `is given twice, here and beside lifeline; keep one` })
  }
  return { policy: { ...direct, ...Policy.pick(lifeline) }, problems }
}

/** What an entry calls each thing, by the name that it has here. */
const spelling = (raw: Raw, problems: Array<Problem.Problem>): ReadonlyMap<string, string> => {
  const written = new Map<string, string>()
  for (const key of Object.keys(raw)) {
    if (raw[key] === undefined) continue
    const name = (Object.hasOwn(synonyms, key) ? synonyms[key] : undefined) ?? key
    const other = written.get(name)
    if (other !== undefined) problems.push({ path: [key], message: `says the same as ${other}; keep one` })
    else written.set(name, key)
  }
  return written
}

/**
 * Reads one server. Variables are replaced where they are given; else what looks like one stays as it is. `remedy` is what else
 * can be done about one that cannot be replaced.
 */
export const readServer = (raw: unknown, variables?: Variables, remedy = ""): Read<Server> => {
  if (!Predicate.isRecord(raw)) {
    return { value: undefined, problems: [Problem.wrongSecret([], raw, "an object with a command or a url")] }
  }
  const problems: Array<Problem.Problem> = []
  const written = spelling(raw, problems)
  const isStdio = written.has("command")
  const kind = isStdio ? "stdio" : written.has("url") ? "http" : undefined
  const misspelt = [...written.keys()].map((key) => Object.hasOwn(meanings, key) ? meanings[key] : nearest(key, known))
  if (isStdio && written.has("url")) {
    problems.push({ path: [written.get("url") ?? "url"], message: "stands beside command; keep one of the two" })
    return { value: undefined, problems }
  }
  if (kind === undefined && !misspelt.some((key) => key === "command" || key === "url")) {
    problems.push({ path: [], message: "has neither command (a program to start) nor url (an address)" })
  }
  const checks = kind === "stdio" ? stdioChecks : kind === "http" ? httpChecks : { ...stdioChecks, ...httpChecks }
  const { policy, problems: ofPolicy } = policyOf(raw)
  const reach: Record<string, unknown> = {}
  let fits = kind !== undefined
  const report = (found: ReadonlyArray<Problem.Problem>): void => {
    if (found.length > 0) fits = false
    problems.push(...found)
  }
  for (const [name, key] of written) {
    const check = name === "type"
      ? typeOf[kind ?? "any"]
      : name === "disabled"
      ? Check.flag
      : Object.hasOwn(checks, name)
      ? checks[name]
      : undefined
    if (check === undefined) {
      if (name === "lifeline" || (Policy.groups as ReadonlyArray<string>).includes(name)) continue
      if (!(known.includes(name) && isEmpty(raw[key]))) problems.push(stranger(key, kind))
      continue
    }
    const unset: Array<Problem.Problem> = []
    reach[name] = variables !== undefined && expanded.has(name)
      ? expand(raw[key], variables, (path, message) => unset.push({ path: [key, ...path], message: message + remedy }))
      : raw[key]
    report(unset.length > 0 ? unset : check(reach[name], [key]))
  }
  problems.push(...ofPolicy)
  const { disabled } = reach
  const own = policy.lifecycle?.disabled
  if (disabled !== undefined && own !== undefined && own !== disabled) {
    problems.push({ path: ["disabled"], message: "contradicts lifecycle.disabled; keep one of the two" })
  }
  return {
    problems,
    value: fits
      ? {
        reach: isStdio ? stdioOf(reach) : httpOf(reach),
        policy: Predicate.isBoolean(disabled) ? Policy.merge(policy, { lifecycle: { disabled } }) : policy
      }
      : undefined
  }
}

/**
 * Reads what stands in a server's entry beside `own`, which only code can give: how the server is supervised, and `disabled`.
 * Whatever else stands there is a problem.
 */
export const readSupervision = (raw: Raw, own: ReadonlyArray<string>): Read<Policy.PolicyOptions> => {
  const { policy, problems } = policyOf(raw)
  const names = [...own, "disabled", "lifeline", ...Policy.groups]
  for (const key of Object.keys(raw)) {
    if (raw[key] === undefined || names.includes(key)) continue
    problems.push(
      known.includes(key)
        ? { path: [key], message: `stands beside ${own.join(" or ")}; keep one of them` }
        : Problem.unknown([key], names, { of: "a server" })
    )
  }
  const { disabled } = raw
  if (disabled !== undefined) problems.push(...Check.flag(disabled, ["disabled"]))
  return { problems, value: Predicate.isBoolean(disabled) ? Policy.merge(policy, { lifecycle: { disabled } }) : policy }
}

const stdioOf = (raw: Raw): StdioServer => ({
  _tag: "Stdio",
  command: raw["command"] as string,
  args: (raw["args"] ?? []) as ReadonlyArray<string>,
  env: secretsOf(raw["env"]),
  cwd: raw["cwd"] as string | undefined,
  stdio: (raw["stdio"] ?? {}) as Raw
})

const httpOf = (raw: Raw): HttpServer => {
  const { authProvider, dispatcher, fetch, headers, requestInit, type, url } = raw
  const provider = Predicate.isFunction(headers) ? headers as HeaderProvider : undefined
  const given = (requestInit as { readonly headers?: unknown } | undefined)?.headers
  return {
    _tag: "Http",
    url: String(url),
    headers: { ...secretsOf(given), ...(provider === undefined ? secretsOf(headers) : {}) },
    headerProvider: provider,
    authProvider: authProvider as OAuthClientProvider | undefined,
    dispatcher: dispatcher as object | undefined,
    fetch: fetch as FetchLike | undefined,
    transport: transports[(type ?? "auto") as keyof typeof transports]
  }
}

/** What stands around the servers. */
export interface Top {
  /** The key of the servers. VS Code calls it `servers`. */
  readonly key: "mcpServers" | "servers"
  /** Options for all servers, which lie below their own. */
  readonly policy: Policy.PolicyOptions
}

/** What other programs have beside the servers. */
const foreignTop: ReadonlySet<string> = new Set(["$schema", "inputs"])

/** Reads what stands around the servers; each of these is read by `readServer`. */
export const readTop = (raw: unknown): Read<Top> => {
  const shape = "an object with mcpServers, an object of servers by name"
  if (!Predicate.isRecord(raw)) return { value: undefined, problems: [Problem.wrongSecret([], raw, shape)] }
  const { policy, problems } = policyOf(raw)
  const key = raw["mcpServers"] === undefined && raw["servers"] !== undefined ? "servers" : "mcpServers"
  if (key === "mcpServers" && raw["servers"] !== undefined) {
    problems.push({ path: ["servers"], message: "stands beside mcpServers; keep one of the two" })
  }
  const names = ["mcpServers", "lifeline", ...Policy.groups]
  for (const name of Object.keys(raw)) {
    if (raw[name] === undefined || name === "servers" || names.includes(name)) continue
    problems.push(
      foreignTop.has(name)
        ? { path: [name], message: "belongs to another program and has no effect here", key: "foreign" }
        : Problem.unknown([name], names, { of: "an mcp.json" })
    )
  }
  const fits = Predicate.isRecord(raw[key])
  const accepted = "an object of servers by name"
  if (raw[key] === undefined) problems.push({ path: [key], message: `is missing; accepted: ${accepted}` })
  else if (!fits) problems.push(Problem.wrongSecret([key], raw[key], accepted))
  return { value: fits ? { key, policy } : undefined, problems }
}
