/**
 * What each key of a server's entry accepts, its other names, and messages about keys without effect.
 */
import { Check, Problem, SecretCommand } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Option, Predicate, Record } from "effect"
import { isPlain, own } from "./Expansion.js"
import * as Hosts from "./hosts.js"
import { pairs, transports } from "./Server.js"
import * as ToolLists from "./toolLists.js"
import * as Tools from "./tools.js"

export const synonyms: Readonly<Record<string, string>> = {
  serverUrl: "url",
  httpUrl: "url",
  transport: "type",
  transportType: "type",
  environment: "env",
  http_headers: "headers"
}

/** Mistakes spelt too differently to be found by their letters. */
const meanings: Readonly<Record<string, string>> = {
  cmd: "command",
  arguments: "args",
  uri: "url",
  endpoint: "url"
}

/** Without effect here. */
const foreign: ReadonlySet<string> = new Set([
  "alwaysAllow",
  "auth",
  "autoApprove",
  "autoStart",
  "default_tools_approval_mode",
  "description",
  "dev",
  "displayName",
  "gallery",
  "icon",
  "name",
  "oauth",
  "oauth_resource",
  "required",
  "scopes",
  "source",
  "supports_parallel_tool_calls",
  "title",
  "trust",
  "version",
  "watchPaths"
])

/** Of the SDK. */
const instead: Readonly<Record<string, string>> = {
  sessionId: "Lifeline keeps the session itself and makes a new one when it is lost. Leave it out",
  reconnectionOptions: "Lifeline reconnects by its own options. Write reconnect: { initialDelay, factor, maxDelay, "
    + "maxAttempts }",
  reconnectionScheduler: "Lifeline schedules its attempts itself. Leave it out; reconnect says how often it tries",
  eventSourceInit: "Lifeline opens the stream itself. Give headers for what is to be sent",
  stderr: "Lifeline reads the lines of stderr itself. Write stdio: { stderr: (line) => .. } in code"
}

type Checks = Readonly<Record<string, Check.Check>>

/** Values of these types, which may be secret, or commands that write a secret. */
const scalars = (...types: ReadonlyArray<string>): Check.Check => {
  const scalar = Check.isSecret(
    (value) => types.includes(value === null ? "null" : typeof value),
    'a string, a number, a boolean or { "command": [..] }'
  )
  return Check.values(
    Check.described((value, path) =>
      Predicate.isRecord(value) && value["command"] !== undefined
        ? SecretCommand.check(value, path)
        : scalar(value, path), { anyOf: [{ type: types }, { $ref: "#/definitions/secretCommand" }] }),
    "an object of strings"
  )
}
const secrets = scalars("string", "number", "boolean")

const argv = Check.list(Check.string, "an array of strings")

const command: Check.Check = Check.described((value, path) => {
  if (Predicate.isString(value)) return Check.text(value, path)
  if (!Array.isArray(value)) {
    return [Problem.wrongSecret(path, value, "a string that is not empty, or an array of strings")]
  }
  if (value.length === 0) return [{ path, message: "is empty; accepted: a program, and its arguments" }]
  return value.flatMap((one, index) => (index === 0 ? Check.text : Check.string)(one, [...path, index]))
}, { anyOf: [Check.text.schema, { ...argv.schema, minItems: 1 }] })

/** The connector checks the options. Keys of the server are misplaced there. */
const ownOptions = (group: string, beside: () => Checks): Check.Check =>
  Check.described((value, path) => {
    if (!Predicate.isRecord(value)) return [Problem.wrongSecret(path, value, "an object of options")]
    const misplaced = Object.keys(value).filter((name) => name !== group && Object.hasOwn(beside(), name))
    return misplaced.map((name) => ({ path: [...path, name], message: `belongs beside ${group}, not in it` }))
  }, Check.object.schema)

const protocol = Check.oneOf("auto", "2025", "2026")

const stdioTexts: Checks = {
  command,
  args: argv,
  /** Null removes an inherited variable. */
  env: scalars("string", "number", "boolean", "null"),
  envFile: Check.text,
  cwd: Check.text
}

const stdioChecks: Checks = {
  ...stdioTexts,
  protocol,
  maxMemory: Check.memory,
  stdio: ownOptions("stdio", () => stdioChecks)
}

/** The connector checks the rest, which may contain a password. */
const address = Check.is(
  (value) => /^https?:\/\/[^/\s]/i.test(String(value)),
  "one that begins with http:// or https://",
  // It may begin with a reference.
  Check.text.schema,
  (path, _, accepted) => ({ path, message: `is not an address; accepted: ${accepted}` })
)

const headers: Check.Check = Check.described(
  (value, path) => Predicate.isFunction(value) ? [] : secrets(pairs(value), path),
  secrets.schema
)

const requestInit: Check.Check = Check.described(
  Check.options({ headers }, "", {
    unknown: (path) => ({
      path,
      message: "is not supported: Lifeline takes only the headers of requestInit. Leave it out"
    }),
    wrong: (path, value) => Problem.wrongSecret(path, value, "an object with headers")
  }),
  Check.object.schema
)

const httpTexts: Checks = { url: address, headers, requestInit }

/** Their strings may contain references to variables. */
export const expanded: ReadonlySet<string> = new Set(Object.keys({ ...stdioTexts, ...httpTexts }))

const httpChecks: Checks = {
  ...httpTexts,
  /** The official Client v2 also takes an object that has only a token. */
  authProvider: Check.isSecret(
    (value) => Predicate.hasProperty(value, "tokens") && Predicate.isFunction(value.tokens),
    "an OAuthClientProvider of the official SDK, with tokens(), which only code can give. A token that you have belongs in headers"
  ),
  /** An object with functions, which a file cannot contain. */
  dispatcher: Check.isSecret(
    (value) => Predicate.isRecord(value) && !(isPlain(value) && !Object.values(value).some(Predicate.isFunction)),
    "an undici dispatcher, which only code can give"
  ),
  protocol,
  fetch: Check.isSecret(Predicate.isFunction, "a function, which only code can give"),
  http: ownOptions("http", () => httpChecks)
}

const bothChecks: Checks = {
  type: Check.oneOf("stdio", "local", ...Object.keys(transports)),
  disabled: Check.flag,
  enabled: Check.flag
}

const anyChecks: Checks = { ...Hosts.anyChecks, ...ToolLists.checks, ...bothChecks }

const tables = {
  stdio: {
    ...anyChecks,
    ...Hosts.stdioChecks,
    ...stdioChecks,
    type: Check.is(
      (value) => value === "stdio" || value === "local",
      '"stdio" or "local", since this server has a command'
    )
  },
  http: { ...anyChecks, ...Hosts.httpChecks, ...httpChecks, type: Check.oneOf(...Object.keys(transports)) },
  any: { ...stdioChecks, ...httpChecks, ...Hosts.stdioChecks, ...Hosts.httpChecks, ...anyChecks }
} satisfies Readonly<Record<string, Checks>>

const known = [
  ...Object.keys({ ...stdioChecks, ...httpChecks, ...bothChecks }),
  "lifeline",
  ...ServerOptions.groups
]

/** Undefined for an entry with neither command nor url. */
export type Kind = "stdio" | "http" | undefined

/** Undefined if no such server has the key, or if it is an option of supervision. */
export const checkOf = (kind: Kind, name: string): Check.Check | undefined =>
  own<Check.Check>(tables[kind ?? "any"], name)

/** Of all keys in a file, under all their names. Keys of other programs accept anything. */
export const schemas = (): Readonly<Record<string, Check.JsonSchema>> => {
  const known = Record.filterMap(tables.any as Checks, ({ schema }) => Option.fromNullable(schema))
  return {
    ...Record.fromIterableWith(foreign, (name) => [name, {}]),
    ...known,
    ...Record.map(synonyms, (same) => known[same] ?? {}),
    /** Also an object with the keys that reach the server. */
    transport: { anyOf: [known["type"] ?? {}, { type: "object" }] }
  }
}

export const meantBy = (key: string): string | undefined => own(meanings, key) ?? Problem.nearest(key, known)

export const notTakenOver = (path: Problem.Path): Problem.Problem | undefined => {
  const message = own(instead, String(path.at(-1)))
  return message === undefined ? undefined : { path, message: `is not supported: ${message}` }
}

export const isKey = (key: unknown): boolean => known.includes(String(key))

export const refused = (key: string, kind: Kind): Problem.Problem => {
  const path = [key]
  const sdk = notTakenOver(path)
  if (sdk !== undefined) return sdk
  if (foreign.has(key)) return Tools.belongsToOthers(path)
  const others = kind === "stdio" ? httpChecks : kind === "http" ? stdioChecks : {}
  const belongs = kind === "http"
    ? "belongs to a server with a command, and this one has a url"
    : "belongs to a server with a url, and this one has a command"
  if (Object.hasOwn(others, key)) {
    const instead = kind === "http" ? "" : `, or pass it on by ${key === "headers" ? "env" : "env or args"}`
    return { path, message: `${belongs}; leave it out${instead}` }
  }
  const meant = own(meanings, key)
  const ofKind = known.filter((name) => !Object.hasOwn(others, name) || checkOf(kind, name) !== undefined)
  const ofOthers = (meant ?? Problem.nearest(key, ofKind)) === undefined
    ? Problem.nearest(key, Object.keys(others))
    : undefined
  return ofOthers === undefined ? Problem.unknown(path, ofKind, { of: "a server", meant }) : {
    path,
    message: `is not an option of a server; did you mean "${ofOthers}"? That ${belongs}`,
    key: "unknown"
  }
}
