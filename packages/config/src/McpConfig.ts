/**
 * Reads an `mcp.json`, or an object of the same shape, which means the same. Pure. No problem contains a value that may be secret.
 */
import { Check, Problem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Predicate } from "effect"
import * as ClientText from "./ClientText.js"
import { expand, expandForClient, isPlain, own, type Raw, type Sources } from "./Expansion.js"
import * as Hosts from "./hosts.js"
import { checkOf, expanded, isKey, type Kind, meantBy, refused, synonyms } from "./keys.js"
import * as LifelineCommand from "./LifelineCommand.js"
import { type FromClient, httpOf, type Server, stdioOf } from "./Server.js"
import { gateway, policyOf, type Read } from "./supervision.js"
import * as ToolLists from "./toolLists.js"
import type { ToolSwitches } from "./ToolSwitches.js"

export type { Access, Group, NamedClient, Rules, Selection } from "./access.js"
export { doubts as accessDoubts, read as readAccess, tokenMessage, tokenProblem } from "./access.js"
export { type Auth, type ClaimValue, read as readAuth } from "./auth.js"
export * as ClientText from "./ClientText.js"
export type { Sources, Variables } from "./Expansion.js"
export { isKey, notTakenOver } from "./keys.js"
export { schema } from "./schema.js"
export { placed, secretsOf } from "./Server.js"
export type { FromClient, HeaderProvider, HttpServer, Secrets, SecretValue, Server, StdioServer } from "./Server.js"
export * as ServerTools from "./serverTools.js"
export type { ToolSwitches } from "./ToolSwitches.js"
export { readTop, type Top } from "./Top.js"

/** As people write it: `headers.Authorization`. */
export const { showPath } = Problem

export type { Read } from "./supervision.js"

const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0)

/** As written, by their usual names. */
const spelling = (raw: Raw, problems: Array<Problem.Problem>): ReadonlyMap<string, string> => {
  const written = new Map<string, string>()
  for (const key of Object.keys(raw)) {
    if (raw[key] === undefined) continue
    const name = own(synonyms, key) ?? key
    const other = written.get(name)
    if (other !== undefined) problems.push({ path: [key], message: `is another name of ${other}; keep one` })
    else written.set(name, key)
  }
  return written
}

const wordsOf = (value: unknown): ReadonlyArray<string> =>
  (Array.isArray(value) ? value : [value]).filter(Predicate.isString)

/** Only Zed knows its command. */
const ofExtension: Problem.Problem = {
  path: [],
  message: "is a server of an extension of Zed, which only Zed starts; it is left out here",
  key: "elsewhere"
}

const isDisabled = ({ disabled, enabled }: Raw): boolean | undefined =>
  Predicate.isBoolean(disabled) ? disabled : Predicate.isBoolean(enabled) ? !enabled : undefined

const splitForClient = (
  given: unknown,
  sources: Sources,
  report: (name: string, message: string) => void
): { readonly others: unknown; readonly fromClient: FromClient } => {
  if (sources.clients !== true || !isPlain(given)) return { others: given, fromClient: {} }
  const entries = Object.entries(given)
  const fromClient = entries.flatMap(([name, value]) => {
    if (!ClientText.mentions(value)) return []
    const text = expandForClient(value, sources, (message) => report(name, message))
    return text === undefined ? [] : [[name, text] as const]
  })
  const others = Object.fromEntries(entries.filter(([, value]) => !ClientText.mentions(value)))
  return { others, fromClient: Object.fromEntries(fromClient) }
}

/**
 * Replaces references if `sources` are given. `remedy`: what else the user can do about one that cannot be replaced. `name`: of the server,
 * which some hosts write before those of its tools. `switches`: from the top of the file.
 */
export const readServer = (raw: unknown, sources?: Sources, context: Context = {}): Read<Server> => {
  if (!Predicate.isRecord(raw)) {
    return { value: undefined, problems: [Problem.wrongSecret([], raw, "an object with a command or a url")] }
  }
  // The Cline CLI and the AI SDK put what reaches the server into an object of its own.
  const { transport: inner, ...beside } = raw
  if (!isPlain(inner)) return readEntry(raw, sources, context)
  const { problems, value } = readEntry({ ...beside, ...inner }, sources, context)
  const message = "is in transport as well; keep one"
  const twice = Object.keys(inner).flatMap((key) => Object.hasOwn(beside, key) ? [{ path: [key], message }] : [])
  const placed = problems.map((one) =>
    Object.hasOwn(inner, String(one.path[0])) ? { ...one, path: ["transport", ...one.path] } : one
  )
  return { value, problems: [...twice, ...placed] }
}

interface Context {
  readonly name?: string | undefined
  readonly remedy?: string
  readonly switches?: ToolSwitches
}

const readEntry = (
  raw: Raw,
  sources: Sources | undefined,
  { name: server, remedy = "", switches }: Context
): Read<Server> => {
  const problems: Array<Problem.Problem> = []
  const written = spelling(raw, problems)
  const valueOf = (name: string): unknown => raw[written.get(name) ?? ""]
  const isGiven = (name: string): boolean => written.has(name) && !isEmpty(valueOf(name))
  const isStdio = written.has("command") && (isGiven("command") || !isGiven("url"))
  const kind: Kind = isStdio ? "stdio" : written.has("url") ? "http" : undefined
  if (isStdio && isGiven("url")) {
    const path = [written.get("url") ?? "url"]
    problems.push({ path, message: "cannot be combined with command; keep one of the two" })
    return { value: undefined, problems }
  }
  if (kind === undefined && raw["source"] === "extension") return { value: undefined, problems: [ofExtension] }
  if (kind === undefined && ![...written.keys()].map(meantBy).some((key) => key === "command" || key === "url")) {
    problems.push({ path: [], message: "has neither command (a program to start) nor url (an address)" })
  }
  const { others, policy, problems: ofPolicy } = policyOf(raw, gateway.ofServer, true)
  const reach: Record<string, unknown> = {}
  let fits = kind !== undefined
  let fromClient: FromClient = {}
  const report = (found: ReadonlyArray<Problem.Problem>): void => {
    if (found.length > 0) fits = false
    for (const one of found) problems.push(one)
  }
  const command = wordsOf(valueOf("command"))
  const isSet = (name: string): boolean => own(sources?.variables, name) !== undefined
  const given = valueOf("env") ?? {}
  const forwarded = wordsOf(valueOf("env_vars"))
  const hasFile = written.has("envFile")
  const kept = LifelineCommand.keptReferences(
    [...command, ...wordsOf(valueOf("args"))],
    // The file of variables is not read here.
    (name) => Object.hasOwn(given, name) || (isSet(name) ? forwarded.includes(name) : hasFile)
  )
  for (const [name, key] of written) {
    const check = checkOf(kind, name)
    if (check === undefined) {
      if (name === "lifeline" || (ServerOptions.groups as ReadonlyArray<string>).includes(name)) continue
      if (!(isKey(name) && isEmpty(raw[key]))) problems.push(refused(key, kind))
      continue
    }
    const unset: Array<Problem.Problem> = []
    const unknown = (path: Problem.Path, message: string): void =>
      void unset.push({ path: [key, ...path], message: message + remedy })
    if (sources !== undefined && (name === "env" || name === "headers")) {
      const split = splitForClient(raw[key], sources, (variable, message) => unknown([variable], message))
      fromClient = split.fromClient
      reach[name] = expand(split.others, sources, unknown)
    } else if (sources !== undefined && (name === "command" || name === "args")) {
      const before = name === "args" ? command.length : 0
      const isKept = (one: string, [index]: Problem.Path) => kept.places.has(before + Number(index)) && kept.has(one)
      reach[name] = expand(raw[key], sources, unknown, [], isKept)
    } else {
      reach[name] = sources !== undefined && expanded.has(name) ? expand(raw[key], sources, unknown) : raw[key]
    }
    report(unset.length > 0 ? unset : check(reach[name], [key]))
  }
  report(ToolLists.checkTools(raw["tools"]))
  for (const one of ofPolicy) problems.push(one)
  const disabled = isDisabled(reach)
  if (Predicate.isBoolean(reach["disabled"]) && reach["enabled"] === reach["disabled"]) {
    problems.push({ path: ["enabled"], message: "contradicts disabled; keep one of the two" })
  }
  const inGroup = policy.lifecycle?.disabled
  if (disabled !== undefined && inGroup !== undefined && inGroup !== disabled) {
    const key = reach["disabled"] === undefined ? "enabled" : "disabled"
    problems.push({ path: [key], message: "contradicts lifecycle.disabled; keep one of the two" })
  }
  const times = Hosts.timeouts(reach)
  const lists = ToolLists.read(raw, server, switches)
  for (const one of [...times.problems, ...lists.problems]) problems.push(one)
  if (!fits) return { problems, value: undefined }
  const variables = sources?.variables ?? {}
  const { env, headers } = Hosts.fromVariables(reach, variables, (path, message) => report([{ path, message }]))
  const supervised = ServerOptions.merge({ ...times.policy, tools: lists.tools }, policy)
  return {
    problems,
    value: !fits ? undefined : {
      reach: isStdio ? stdioOf(reach, env, fromClient) : httpOf(reach, headers, fromClient),
      policy: disabled === undefined ? supervised : ServerOptions.merge(supervised, { lifecycle: { disabled } }),
      sessions: others["sessions"] as Server["sessions"],
      placement: others["placement"] as Server["placement"],
      prefix: others["prefix"] as Server["prefix"]
    }
  }
}

/** For a server that code gives under the keys `own`: the options of supervision, and `disabled`. Any other key is a problem. */
export const readSupervision = (
  raw: Raw,
  own: ReadonlyArray<string>
): Read<Pick<Server, "policy" | "prefix">> => {
  // Without keys of its own it is no server of several.
  const others = own.length === 0 ? {} : { prefix: gateway.ofServer.prefix }
  const found = policyOf(raw, others, true)
  const { disabled, tools } = raw
  const lists = ToolLists.read({ tools }, undefined)
  const policy = ServerOptions.merge({ tools: lists.tools }, found.policy)
  const names = [...own, "disabled", "lifeline", ...ServerOptions.groups]
  const unknown = Object.keys(raw).filter((key) => raw[key] !== undefined && !names.includes(key)).map((key) =>
    isKey(key)
      ? { path: [key], message: `cannot be combined with ${own.join(" or ")}; keep one of them` }
      : Problem.unknown([key], names, { of: "a server" })
  )
  return {
    problems: [
      ...found.problems,
      ...ToolLists.checkTools(tools),
      ...lists.problems,
      ...unknown,
      ...disabled === undefined ? [] : Check.flag(disabled, ["disabled"])
    ],
    value: {
      policy: Predicate.isBoolean(disabled) ? ServerOptions.merge(policy, { lifecycle: { disabled } }) : policy,
      prefix: found.others["prefix"] as Server["prefix"]
    }
  }
}
