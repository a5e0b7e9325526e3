/**
 * Reads the text of an `mcp.json`, with positions; `McpConfig`, which also reads the configuration of `connectAll`, interprets the values.
 */
import { McpConfig } from "@mcp-lifeline/config"
import { Problem as OptionProblem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Data, Either, Predicate } from "effect"
import { homedir } from "node:os"
import { basename, dirname, resolve, sep } from "node:path"
import type { FileAccess } from "../access/AccessInUse.js"
import * as Document from "../document/Document.js"
import type { Problem } from "../document/Problem.js"
import * as IssuerAddress from "./issuerAddress.js"

export interface Entry {
  readonly name: string
  readonly server: McpConfig.StdioServer | McpConfig.HttpServer
  /** With those of the file where it has none of its own. */
  readonly policy: ServerOptions.ServerOptions
  /** Each client has its own server, or all share one. */
  readonly sessions: McpConfig.Server["sessions"]
  /** In a cluster, one of it, or one on each replica. */
  readonly placement: McpConfig.Server["placement"]
  /** What stands before the names of its tools and prompts. */
  readonly prefix: McpConfig.Server["prefix"]
  /** Makes a problem at a key of this entry. */
  readonly problem: (key: OptionProblem.Path, message: string) => Problem
  /** At an option of supervision, which may stand under `lifeline`. */
  readonly optionProblem: Entry["problem"]
}

/**
 * An invalid entry does not affect the valid ones; an invalid option for all servers makes the file unusable. Unknown keys only cause
 * problems.
 */
export interface McpJson {
  readonly entries: ReadonlyArray<Entry>
  readonly problems: ReadonlyArray<Problem>
  /** Ambiguous values, servers that only another program can start, and one notice of all keys of other programs. */
  readonly notices: ReadonlyArray<Problem>
  /** Of valid and invalid servers, in the order of the file. */
  readonly names: ReadonlyArray<string>
  readonly statusTool: boolean
  /** How many per-client servers may run at once; `undefined`: no limit. */
  readonly maxOwnServers: number | undefined
  readonly auth: McpConfig.Auth | undefined
  /** `undefined` if the file does not say it. */
  readonly access: FileAccess | undefined
  /** The options for all servers are valid. If not, there are no entries. */
  readonly isUsable: boolean
}

/** The file is unusable: not valid JSON or TOML, or without an object with servers. */
export class BrokenFile extends Data.TaggedError("BrokenFile")<{ readonly problem: Problem }> {}

type Path = OptionProblem.Path

const maxListedKeys = 8

/** One notice, at the first of these keys. */
const foreignNotice = (found: ReadonlyArray<Problem>): ReadonlyArray<Problem> => {
  const [first, ...rest] = found.toSorted((a, b) => a.line - b.line)
  if (first === undefined) return []
  const others = [
    ...new Set(rest.map(({ key }) => key.split(".").at(-1)).filter((key) => key !== first.key.split(".").at(-1)))
  ]
  const more = others.length > maxListedKeys
    ? `${others.slice(0, maxListedKeys).join(", ")} and ${others.length - maxListedKeys} more`
    : others.join(", ")
  const message = rest.length === 0
    ? "belongs to another program and has no effect here"
    : others.length === 0
    ? `belongs to another program and has no effect here, wherever it stands`
    : `belongs to another program and has no effect here; nor have ${more}`
  return [{ ...first, message }]
}

const placementOfOwn =
  'is for a server that all clients share; of this one each client has its own (sessions "per-client"): keep one of the two'

/** Why an entry may not refer to its client. */
const withoutClient = (sessions: McpConfig.Server["sessions"], hasIdentities: boolean): string | undefined =>
  sessions !== "per-client"
    ? 'and all clients share this server, so that it cannot be of one of them; give it lifeline.sessions "per-client", or leave this out'
    : hasIdentities
    ? undefined
    : "and the gateway does not know who its clients are; give it lifeline.auth or lifeline.clients, or leave this out"

const tellsClientsApart = (file: unknown): boolean => {
  const options = Predicate.isRecord(file) ? file["lifeline"] : undefined
  return Predicate.isRecord(options) && (options["auth"] !== undefined || options["clients"] !== undefined)
}

const withoutOwn = (servers: ReadonlyArray<Entry>): string =>
  "clients of MCP 2026-07-28 have no sessions, so the gateway does not offer them the servers of which each client has its own: "
  + servers.map(({ name }) => name).join(", ")

/**
 * Variables of editors, such as `${workspaceFolder}`: the folder of the file, or its parent if that folder is hidden (such as `.vscode`).
 */
const folderVariables = (file: string): McpConfig.Variables => {
  const folder = dirname(resolve(file))
  const workspace = basename(folder).startsWith(".") ? dirname(folder) : folder
  return {
    workspaceFolder: workspace,
    workspaceFolderBasename: basename(workspace),
    userHome: homedir(),
    pathSeparator: sep,
    "/": sep
  }
}

const has = (value: unknown, [key, ...rest]: Path): boolean =>
  key === undefined || (Predicate.isRecord(value) && Object.hasOwn(value, key) && has(value[key], rest))

/** Finding the line of each takes time. */
const maxProblems = 100

/** `env` and the file's path provide the values of variables such as `${NAME}`. */
export const parse = (
  file: string,
  source: string,
  env: McpConfig.Variables
): Either.Either<McpJson, BrokenFile> => {
  const read = Document.parse(file, source)
  const broken = (problem: Problem) => Either.left(new BrokenFile({ problem }))
  if (Either.isLeft(read)) return broken({ file, key: "", ...read.left })
  const document = read.right
  const at = (path: Path, message: string, line = document.line(path)): Problem => ({
    file,
    line,
    key: OptionProblem.showPath(path),
    message
  })
  const { problems: topProblems, value: top } = McpConfig.readTop(document.value)
  if (top === undefined) {
    const [problem] = topProblems.toSorted((a, b) => Number(a.key !== "misspelt") - Number(b.key !== "misspelt"))
    return broken(at(problem?.path ?? [], problem?.message ?? "has no servers"))
  }
  const depth = top.path.length
  const isBelow = (path: Path): boolean => top.path.every((key, index) => path[index] === key)
  const repeated = document.repeated.filter(({ path }) =>
    isBelow(path) || path[0] === "lifeline" || (ServerOptions.groups as ReadonlyArray<unknown>).includes(path[0])
  )
  const notices: Array<Problem> = []
  const foreign: Array<Problem> = []
  const problems = repeated.map(({ line, path }) =>
    at(
      path,
      `appears more than once; ${path.length === depth + 1 ? "give each server its own name" : "keep one"}`,
      line
    )
  )
  /** Returns whether the entry, or the file, is unusable. */
  const sort = (found: ReadonlyArray<OptionProblem.Problem>, prefix: Path, isTop: boolean): boolean => {
    for (const one of found.slice(0, Math.max(0, maxProblems - problems.length))) {
      const path = [...prefix, ...one.path]
      if (one.key === "ambiguous" || one.key === "elsewhere") notices.push(at(path, one.message))
      else if (one.key === "foreign") foreign.push(at(path, one.message))
      // Others at the top belong to other programs.
      else if (one.key === "unknown" && isTop && one.path.length === 1) foreign.push(at(path, one.message))
      else problems.push(at(path, one.key === "unknown" ? `${one.message}. It has no effect` : one.message))
    }
    // A limit of who may do what must not be lost with a letter.
    return found.some(({ key }) => key === undefined || key === "misspelt")
  }
  const isTopBad = sort(topProblems, [], true)
  const sources: McpConfig.Sources = {
    variables: env,
    places: folderVariables(file),
    inputs: top.inputs,
    bare: top.bare,
    clients: true
  }
  const hasIdentities = tellsClientsApart(document.value)
  const auth = isTopBad || top.auth === undefined
    ? undefined
    : McpConfig.readAuth(top.auth, sources, IssuerAddress.problemOf)
  for (const one of auth?.problems ?? []) problems.push(at(["lifeline", "auth", ...one.path], one.message))
  const access = isTopBad || top.access === undefined ? undefined : McpConfig.readAccess(top.access, sources)
  for (const one of access?.problems ?? []) problems.push(at(["lifeline", ...one.path], one.message))
  const entries: Array<Entry> = []
  const names = [...new Set(document.names(top.path))]
  for (
    const one of access?.value === undefined
      ? []
      : McpConfig.accessDoubts(access.value, names, top.access ?? { clients: undefined }, top.auth !== undefined)
  ) {
    notices.push(at(["lifeline", ...one.path], one.message))
  }
  for (const name of names) {
    const path = [...top.path, name]
    const problem: Entry["problem"] = (key, message) => at([...path, ...key], message)
    const repeats = repeated.filter((one) => isBelow(one.path) && one.path[depth] === name)
    // Nobody knows which is meant.
    if (repeats.some((one) => one.path.length === depth + 1)) continue
    if (name === "") problems.push(problem([], "needs a name"))
    const { problems: found, value: server } = McpConfig.readServer(top.servers[name], sources, {
      name,
      switches: top.switches
    })
    const isBad = sort(found, path, false)
    if (server === undefined || isBad || name === "" || repeats.length > 0) continue
    const sessions = server.sessions ?? top.sessions
    if (sessions === "per-client" && server.placement !== undefined) {
      problems.push(problem(["lifeline", "placement"], placementOfOwn))
      continue
    }
    const [fromClient] = Object.entries(server.reach.fromClient)
    const refused = fromClient && withoutClient(sessions, hasIdentities)
    if (fromClient !== undefined && refused !== undefined) {
      const [variable, text] = fromClient
      const key = server.reach._tag === "Stdio" ? "env" : "headers"
      problems.push(problem([key, variable], `has ${McpConfig.ClientText.firstOf(text)}, ${refused}`))
      continue
    }
    entries.push({
      name,
      server: server.reach,
      policy: ServerOptions.merge(top.policy, server.policy),
      sessions,
      placement: server.placement,
      prefix: server.prefix ?? top.prefix,
      problem,
      optionProblem: (key, message) => {
        const under = ["lifeline", ...key]
        return problem(has(top.servers[name], under) ? under : key, message)
      }
    })
  }
  const own = entries.filter(({ policy, sessions }) => sessions === "per-client" && policy.lifecycle?.disabled !== true)
  if (own[0] !== undefined && !hasIdentities) {
    const problem = top.sessions === "per-client" ? at : own[0].problem
    notices.push(problem(["lifeline", "sessions"], withoutOwn(own)))
  }
  // Such a problem affects each server.
  const isUsable = !isTopBad && (auth?.problems ?? []).length === 0 && (access?.problems ?? []).length === 0 &&
    repeated.every(({ path }) => isBelow(path) && path.length > depth)
  return Either.right({
    entries: isUsable ? entries : [],
    problems,
    notices: [...notices, ...foreignNotice(foreign)],
    names,
    statusTool: top.statusTool,
    maxOwnServers: top.maxOwnServers,
    auth: auth?.value,
    access: access?.value && {
      ...access.value,
      servers: names,
      problem: (key, message) => at(["lifeline", ...key], message)
    },
    isUsable
  })
}
