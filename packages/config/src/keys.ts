/**
 * The keys of a server's entry: the values that each accepts, its other names, and the messages about keys that have no effect.
 */
import { Policy } from "@mcp-lifeline/core"
import { Check, Problem } from "@mcp-lifeline/core/internal"
import { Predicate } from "effect"
import { isPlain } from "./Expansion.js"
import * as Hosts from "./hosts.js"
import { pairs, transports } from "./Server.js"

/** Other names of the same key. */
export const synonyms: Readonly<Record<string, string>> = {
  serverUrl: "url",
  httpUrl: "url",
  transport: "type",
  transportType: "type",
  environment: "env",
  http_headers: "headers"
}

/** Frequent mistakes that are spelt too differently from the right key to be found by their letters. */
const meanings: Readonly<Record<string, string>> = {
  cmd: "command",
  arguments: "args",
  uri: "url",
  endpoint: "url"
}

/** Keys of other programs in a server's entry, which have no effect here. */
const foreign: ReadonlySet<string> = new Set([
  "alwaysAllow",
  "auth",
  "autoApprove",
  "autoStart",
  "default_tools_approval_mode",
  "description",
  "dev",
  "disabledTools",
  "disabled_tools",
  "displayName",
  "enabledTools",
  "enabled_tools",
  "excludeTools",
  "gallery",
  "icon",
  "includeTools",
  "name",
  "oauth",
  "oauth_resource",
  "required",
  "scopes",
  "source",
  "supports_parallel_tool_calls",
  "title",
  "tools",
  "trust",
  "version",
  "watchPaths"
])

/** Options of the official SDK's transports that Lifeline does not support, and what it does instead. */
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
  "a string, a number or a boolean",
  { type: ["string", "number", "boolean"] }
)
const secrets = Check.values(secret, "an object of strings")
/** Null removes a variable that the process would inherit. */
const environment: Check.Check = Check.values(
  Check.described((value, path) => value === null ? [] : secret(value, path), {
    type: ["string", "number", "boolean", "null"]
  }),
  "an object of strings"
)

const argv = Check.list(Check.string, "an array of strings")

/** A program, or one with its arguments. */
const command: Check.Check = Check.described((value, path) =>
  Array.isArray(value)
    ? value.length === 0
      ? [{ path, message: "is empty; accepted: a program, and its arguments" }]
      : [...Check.text(value[0], [...path, 0]), ...argv(value, path).filter(({ path }) => path.at(-1) !== 0)]
    : Check.isSecret(Predicate.isString, "a string that is not empty, or an array of strings")(value, path).length > 0
    ? [Problem.wrongSecret(path, value, "a string that is not empty, or an array of strings")]
    : Check.text(value, path), {
  anyOf: [
    { type: "string", minLength: 1 },
    { type: "array", items: { type: "string" }, minItems: 1 }
  ]
})

/** Options of a connector, which checks them itself. The keys of the server do not belong in this object. */
const ownOptions = (group: string, beside: () => Readonly<Record<string, Check.Check>>): Check.Check =>
  Check.described((value, path) =>
    Predicate.isRecord(value)
      ? Object.keys(value).flatMap((name) =>
        name !== group && Object.hasOwn(beside(), name)
          ? [{ path: [...path, name], message: `belongs beside ${group}, not in it` }]
          : []
      )
      : [Problem.wrongSecret(path, value, "an object of options")], { type: "object" })

const stdioChecks: Readonly<Record<string, Check.Check>> = {
  command,
  args: argv,
  env: environment,
  envFile: Check.text,
  cwd: Check.text,
  protocol: Check.oneOf("auto", "2025", "2026"),
  stdio: ownOptions("stdio", () => stdioChecks)
}

/** The connector checks the rest of the address, which may contain a password. */
const address: Check.Check = Check.described(
  (value, path) =>
    /^https?:\/\/[^/\s]/i.test(String(value))
      ? []
      : [{ path, message: "is not an address; accepted: one that begins with http:// or https://" }],
  // It may begin with a reference.
  { type: "string", minLength: 1 }
)

const requestInit: Check.Check = Check.described((value, path) => {
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
}, { type: "object" })

const headers: Check.Check = Check.described(
  (value, path) => Predicate.isFunction(value) ? [] : secrets(pairs(value), path),
  secrets.schema
)

/** An object with functions, which a file cannot contain. */
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
  protocol: Check.oneOf("auto", "2025", "2026"),
  fetch: Check.isSecret(Predicate.isFunction, "a function, which only code can give"),
  http: ownOptions("http", () => httpChecks)
}

const types = {
  stdio: Check.is(
    (value) => value === "stdio" || value === "local",
    '"stdio" or "local", since this server has a command'
  ),
  http: Check.oneOf(...Object.keys(transports)),
  any: Check.oneOf("stdio", "local", ...Object.keys(transports))
} as const

/** The keys whose strings may contain references to variables. */
export const expanded: ReadonlySet<string> = new Set([
  "command",
  "args",
  "env",
  "envFile",
  "cwd",
  "url",
  "headers",
  "requestInit"
])

const known = [
  ...new Set([...Object.keys(stdioChecks), ...Object.keys(httpChecks)]),
  "type",
  "disabled",
  "enabled",
  "lifeline",
  ...Policy.groups
]

/** Whether a server has a command or a url; undefined for an entry with neither. */
export type Kind = "stdio" | "http" | undefined

/**
 * The values that a key accepts for a server of this kind; undefined if no such server has the key, or if it is an option of
 * supervision.
 */
export const checkOf = (kind: Kind, name: string): Check.Check | undefined => {
  if (name === "type") return types[kind ?? "any"]
  if (name === "disabled" || name === "enabled") return Check.flag
  const ofStdio = { ...Hosts.stdioChecks, ...stdioChecks, ...Hosts.anyChecks }
  const ofHttp = { ...Hosts.httpChecks, ...httpChecks, ...Hosts.anyChecks }
  const checks = kind === "stdio" ? ofStdio : kind === "http" ? ofHttp : { ...ofStdio, ...ofHttp }
  return Object.hasOwn(checks, name) ? checks[name] : undefined
}

const withSynonyms = (
  schemas: Readonly<Record<string, Check.JsonSchema>>
): Readonly<Record<string, Check.JsonSchema>> => ({
  ...schemas,
  ...Object.fromEntries(Object.entries(synonyms).map(([name, same]) => [name, schemas[same] ?? {}]))
})

/**
 * The JSON Schemas of all keys that a server may have in a file, under all their names. The schema of keys of other programs accepts
 * anything.
 */
export const schemas = (): Readonly<Record<string, Check.JsonSchema>> => ({
  ...Object.fromEntries([...foreign].map((name) => [name, {}])),
  ...withSynonyms(
    Object.fromEntries(
      Object.entries({
        ...stdioChecks,
        ...httpChecks,
        ...Hosts.stdioChecks,
        ...Hosts.httpChecks,
        ...Hosts.anyChecks,
        type: types.any,
        disabled: Check.flag,
        enabled: Check.flag
      }).flatMap(([name, { schema }]) => schema === undefined ? [] : [[name, schema]])
    )
  )
})

/** The key that was probably meant. */
export const meantBy = (key: string): string | undefined =>
  Object.hasOwn(meanings, key) ? meanings[key] : Problem.nearest(key, known)

/** An option of the official SDK's transports that is not supported. */
export const notTakenOver = (path: Problem.Path): Problem.Problem | undefined => {
  const key = String(path.at(-1))
  return Object.hasOwn(instead, key) ? { path, message: `is not supported: ${instead[key]}` } : undefined
}

/** Whether it is a key of a server. */
export const isKey = (key: unknown): boolean => known.includes(String(key))

/** The problem with a key that a server of this kind, or any server, does not have. */
export const refused = (key: string, kind: Kind): Problem.Problem => {
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
