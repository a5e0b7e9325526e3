/**
 * A server with a URL becomes `wrap URL`. Its headers become environment variables, which lists of processes do not show.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import * as Value from "../document/Value.js"
import { type Decision, type Dialect, left, type Options } from "./Decision.js"
import type { Pair, Patch } from "./Patch.js"
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

/** Its values and comments stay as they are written. `more`: variables to insert. */
const variablesIn = (
  env: string,
  table: ReadonlyMap<string, string>,
  names: ReadonlyMap<string, string>,
  more: Texts
): Pair => {
  const before = Object.entries(more)
  if (table.size === 0) return { key: env, change: before.length === 0 ? undefined : { to: more } }
  const pairs = [...table.keys()].map((name, index) =>
    [name, { before: index === 0 ? before : [], key: names.get(name) ?? name }] as const
  )
  return { key: env, change: { patch: new Map(pairs) } }
}

type Texts = { readonly [key: string]: string }

interface Headers {
  readonly args: ReadonlyArray<string>
  readonly patch: Patch
}

const headersOf = (entry: Value.Table, env: string): Headers | string => {
  const notText = "a header or variable of it is not a text"
  const own = headersKeys.find((key) => entry.has(key))
  const nested = Value.at(entry, ["requestOptions"])
  if (Value.isTable(nested) && [...nested.keys()].some((key) => key !== "headers")) {
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
  const bearer = entry.get("bearer_token_env_var")
  if (bearer !== undefined && typeof bearer !== "string") return notText
  const forwarded = [...(bearer === undefined ? [] : [bearer]), ...named.values()]
  if (forwarded.length > 0 && entry.has("env_vars")) {
    return "it has env_vars, which servers at an address have no use for"
  }
  const names = variables([...all.keys()], new Set(present.keys()))
  /** The table that keeps its place. */
  const home = entry.has(env) ? env : own
  const moved = [...(home === own ? [] : direct), ...inner].map(([name, value]) => [names.get(name) ?? "", value])
  // The word `Bearer` is a variable, too, so that no argument has a blank.
  const more: Texts = {
    ...Object.fromEntries(moved),
    ...(bearer === undefined ? {} : { MCP_LIFELINE_BEARER: "Bearer " })
  }
  const isMore = Object.keys(more).length > 0
  const patch = new Map<string, Pair | undefined>()
  for (const key of ["requestOptions", "env_http_headers", ...own === undefined ? [] : [own]]) {
    if (entry.has(key)) patch.set(key, undefined)
  }
  if (home === own && own !== undefined) patch.set(own, variablesIn(env, direct, names, more))
  else if (home === env && isMore) patch.set(env, variablesIn(env, present, new Map(), more))
  else if (isMore && entry.has("requestOptions")) patch.set("requestOptions", { key: env, change: { to: more } })
  const carrier = bearer === undefined ? "env_http_headers" : "bearer_token_env_var"
  if (entry.has(carrier)) {
    const before: Pair["before"] = isMore && home === undefined && !entry.has("requestOptions") ? [[env, more]] : []
    patch.set(carrier, { before, key: "env_vars", change: { to: forwarded } })
  }
  const args = [
    ...[...names].map(([name, variable]) => `${name}:\${${variable}}`),
    ...(bearer === undefined ? [] : [`Authorization:\${MCP_LIFELINE_BEARER}\${${bearer}}`]),
    ...[...named].map(([name, variable]) => `${name}:\${${variable}}`)
  ]
  return { args: args.flatMap((arg) => ["--header", arg]), patch }
}

export const signInOf = (entry: Value.Table): string | undefined => {
  const key = signIns.find((one) => entry.has(one) && entry.get(one) !== false)
  return key === undefined ? undefined : `its host handles the sign-in; remove ${key} to let wrap sign in instead`
}

export const rewriteRemote = (
  entry: Value.Table,
  key: string,
  { command, env, isOneList, local }: Dialect,
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
  if (entry.has("args") && !isOneList) return left("it has args beside its address")
  const unsuitedUrl = unsuited(url)
  if (unsuitedUrl !== undefined) return left(unsuitedUrl)
  const headers = headersOf(entry, env)
  if (typeof headers === "string") return left(headers)
  const [program, ...rest] = launcher
  const words = [...rest, "wrap", ...(type === "sse" ? ["--transport", "sse"] : []), ...headers.args, url]
  const unsafe = unsafeForShell(platform, words)
  if (unsafe !== undefined) return left(unsafe)
  return {
    _tag: "Wrap",
    patch: new Map<string, Pair | undefined>([
      [
        key,
        isOneList
          ? { key: command, change: { to: [program, ...words] } }
          : { before: [[command, program]], key: "args", change: { to: words } }
      ],
      ...(type === undefined ? [] : [["type", { key: "type", change: { to: local } }] as const]),
      ...headers.patch,
      // Some hosts refuse keys that they do not know for a server with a command.
      ...signIns.filter((one) => entry.get(one) === false).map((one) => [one, undefined] as const)
    ]),
    ...(headers.args.length === 0 ? { note: "if it asks for a sign-in, that has to be done once more" } : {})
  }
}

const holdsInput = (value: Value.Value): boolean => {
  if (typeof value === "string") return /\$\{input:/.test(value)
  return Value.isTable(value) ? [...value.values()].some(holdsInput) : Value.isList(value) && value.some(holdsInput)
}
