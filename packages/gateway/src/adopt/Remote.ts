/**
 * A server with a URL becomes `wrap URL`. Its headers become environment variables, which lists of processes do not show.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import * as Value from "../document/Value.js"
import { type Decision, type Dialect, left, type Options } from "./Decision.js"
import type { Edit } from "./Edit.js"
import { unsafeForShell } from "./WindowsShell.js"

/** With these, the host itself signs in, or makes headers. */
const signIns = [
  "oauth",
  "auth",
  "authorization",
  "authProviderType",
  "oauth_resource",
  "oauth_client_id",
  "scopes",
  "headersHelper"
]

const headersKeys = ["headers", "http_headers"] as const

/** `undefined` if a value is not a text; empty if there is no table. */
const textsOf = (value: Value.Value | undefined): ReadonlyMap<string, string> | undefined => {
  if (value === undefined) return new Map()
  if (!Value.isTable(value) || [...value.values()].some((one) => typeof one !== "string")) return undefined
  return value as ReadonlyMap<string, string>
}

/** `undefined` if the URL can be an argument. */
const unsuited = (url: string): string | undefined => {
  if (/\$\{|\{env:|\{\{/.test(url)) {
    return "its address has a variable in it, which hosts do not all replace in arguments; wrap it by hand"
  }
  const parsed = parseUrl(url)
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    return "its address is none that begins with http:// or https://"
  }
  const { password, searchParams, username } = parsed
  const isSecret = (key: string) => /key|token|secret|passw|auth|sig|credential/i.test(key)
  if (username !== "" || password !== "" || [...searchParams.keys()].some(isSecret)) {
    return "its address has a secret in it, which as an argument would show in lists of processes; send it as a header if the server takes one"
  }
  return undefined
}

/** Unused names. */
const variables = (names: ReadonlyArray<string>, taken: ReadonlySet<string>): ReadonlyMap<string, string> => {
  const used = new Set(taken)
  return new Map(names.map((name) => {
    const plain = `MCP_LIFELINE_HEADER_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`
    let variable = plain
    for (let count = 2; used.has(variable); count++) variable = `${plain}_${count}`
    used.add(variable)
    return [name, variable]
  }))
}

/** Only keys change, so that values and comments stay as they are written. */
const renamed = (key: string, env: string, names: ReadonlyMap<string, string>): ReadonlyArray<Edit> => [
  { _tag: "Rename", path: [], from: key, to: env },
  ...[...names].map(([from, to]): Edit => ({ _tag: "Rename", path: [env], from, to }))
]

/** `after`: the key behind which to insert the environment, if there is none. */
const added = (
  env: string,
  present: ReadonlyArray<string> | undefined,
  more: ReadonlyArray<readonly [string, string]>,
  after: string
): ReadonlyArray<Edit> => {
  if (more.length === 0) return []
  if (present === undefined) return [{ _tag: "Insert", path: [], after, key: env, value: Object.fromEntries(more) }]
  const names = [...present]
  return more.map(([key, value]): Edit => {
    const last = names.at(-1)
    names.push(key)
    return { _tag: "Insert", path: [env], ...(last === undefined ? {} : { after: last }), key, value }
  })
}

const data = (value: ReadonlyMap<string, string>): { readonly [key: string]: string } => Object.fromEntries(value)

/** `args`: `--header` arguments that use the variables. */
interface Headers {
  readonly args: ReadonlyArray<string>
  readonly edits: ReadonlyArray<Edit>
}

const headersOf = (entry: Value.Table, { command, env, isOneList }: Dialect): Headers | string => {
  /** Behind it, new keys are inserted. */
  const after = isOneList ? command : "args"
  const notText = "a header or variable of it is not a text"
  const own = headersKeys.find((key) => entry.has(key))
  const nested = Value.at(entry, ["requestOptions"])
  const options = Value.isTable(nested) ? [...nested.keys()] : []
  if (options.some((key) => key !== "headers")) {
    return "its requestOptions have more than headers, which wrap cannot carry over"
  }
  const direct = textsOf(own === undefined ? undefined : entry.get(own))
  const inner = textsOf(Value.at(entry, ["requestOptions", "headers"]))
  const present = textsOf(entry.get(env))
  const named = textsOf(entry.get("env_http_headers"))
  if (direct === undefined || inner === undefined || present === undefined || named === undefined) return notText
  const all = new Map([...direct, ...inner])
  if ([...all.keys(), ...named.keys()].some((name) => !/^[\w!#$&'*+.^`|~-]+$/.test(name) || name === "__proto__")) {
    return "the name of a header of it is none"
  }
  const names = variables([...all.keys()], new Set(present.keys()))
  const edits: Array<Edit> = []
  const more: Array<readonly [string, string]> = []
  const valueIn = (name: string): string => names.get(name) ?? ""
  let keys = entry.has(env) ? [...present.keys()] : undefined
  if (own !== undefined && keys === undefined) {
    edits.push(...renamed(own, env, new Map([...direct.keys()].map((name) => [name, valueIn(name)]))))
    keys = [...direct.keys()].map(valueIn)
  } else if (own !== undefined) {
    more.push(...[...direct].map(([name, value]) => [valueIn(name), value] as const))
    edits.push({ _tag: "Remove", path: [], after, key: own, value: data(direct) })
  }
  if (entry.has("requestOptions")) {
    more.push(...[...inner].map(([name, value]) => [valueIn(name), value] as const))
    const value = options.length === 0 ? {} : { headers: data(inner) }
    edits.push({ _tag: "Remove", path: [], after, key: "requestOptions", value })
  }
  const args = [...names].map(([name, variable]) => `${name}:\${${variable}}`)
  const bearer = entry.get("bearer_token_env_var")
  const forwarded = [...named.values()]
  if (bearer !== undefined) {
    if (typeof bearer !== "string") return notText
    // The word `Bearer` is a variable, too, so that no argument has a blank.
    more.push(["MCP_LIFELINE_BEARER", "Bearer "])
    args.push(`Authorization:\${MCP_LIFELINE_BEARER}\${${bearer}}`)
    edits.push(
      { _tag: "Rename", path: [], from: "bearer_token_env_var", to: "env_vars" },
      { _tag: "Replace", path: ["env_vars"], from: bearer, to: [bearer, ...forwarded] }
    )
    if (entry.has("env_http_headers")) {
      edits.push({ _tag: "Remove", path: [], after, key: "env_http_headers", value: data(named) })
    }
  } else if (entry.has("env_http_headers")) {
    edits.push(
      { _tag: "Rename", path: [], from: "env_http_headers", to: "env_vars" },
      { _tag: "Replace", path: ["env_vars"], from: data(named), to: forwarded }
    )
  }
  if (forwarded.length > 0 || bearer !== undefined) {
    if (entry.has("env_vars")) return "it has env_vars, which servers at an address have no use for"
    args.push(...[...named].map(([name, variable]) => `${name}:\${${variable}}`))
  }
  return {
    args: args.flatMap((arg) => ["--header", arg]),
    edits: [...added(env, keys, more, after), ...edits].toSorted(renamesFirst)
  }
}

/** They may make the table into which others insert. */
const renamesFirst = (a: Edit, b: Edit): number => Number(b._tag === "Rename") - Number(a._tag === "Rename")

/** Such an entry stays as it is. */
export const signInOf = (entry: Value.Table): string | undefined => {
  const key = signIns.find((one) => entry.has(one) && entry.get(one) !== false)
  return key === undefined ? undefined : `its host handles the sign-in; remove ${key} to let wrap sign in instead`
}

export const rewriteRemote = (
  entry: Value.Table,
  key: string,
  dialect: Dialect,
  { launcher, platform }: Options
): Decision => {
  const url = Value.text(entry.get(key))
  const type = entry.get("type")
  if (url === undefined) return left("its address is not a text")
  if (type !== undefined && /^ws|^websocket/i.test(String(type))) {
    return left("it speaks over a WebSocket, which wrap does not")
  }
  const signIn = signInOf(entry)
  if (signIn !== undefined) return left(signIn)
  if (entry.has("bearer_token")) {
    return left("it has bearer_token, which its host refuses; name a variable with bearer_token_env_var")
  }
  if ([...entry.values()].some(holdsInput)) {
    return left("it needs a value that its host prompts for (${input:..}), and wrap cannot prompt")
  }
  if (entry.has("args") && !dialect.isOneList) return left("it has args beside its address")
  const unsuitedUrl = unsuited(url)
  if (unsuitedUrl !== undefined) return left(unsuitedUrl)
  const headers = headersOf(entry, dialect)
  if (typeof headers === "string") return left(headers)
  const [program, ...rest] = launcher
  const words = [...rest, "wrap", ...(type === "sse" ? ["--transport", "sse"] : []), ...headers.args, url]
  const unsafe = unsafeForShell(platform, words)
  if (unsafe !== undefined) return left(unsafe)
  const started: ReadonlyArray<Edit> = dialect.isOneList
    ? [{ _tag: "Replace", path: [dialect.command], from: url, to: [program, ...words] }]
    : [
      { _tag: "Replace", path: [dialect.command], from: url, to: program },
      { _tag: "Insert", path: [], after: dialect.command, key: "args", value: words }
    ]
  return {
    _tag: "Wrap",
    edits: [
      { _tag: "Rename", path: [], from: key, to: dialect.command },
      ...started,
      ...(type === undefined
        ? []
        : [{ _tag: "Replace", path: ["type"], from: String(type), to: dialect.local } as const]),
      ...headers.edits,
      // Some hosts refuse keys that they do not know for a server with a command.
      ...signIns.filter((one) => entry.get(one) === false).map((one): Edit => (
        { _tag: "Remove", path: [], after: dialect.isOneList ? dialect.command : "args", key: one, value: false }
      ))
    ],
    ...(headers.args.length === 0 ? { note: "if it asks for a sign-in, that has to be done once more" } : {})
  }
}

const holdsInput = (value: Value.Value): boolean => {
  if (typeof value === "string") return /\$\{input:/.test(value)
  return Value.isTable(value) ? [...value.values()].some(holdsInput) : Value.isList(value) && value.some(holdsInput)
}
