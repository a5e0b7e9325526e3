/**
 * An `mcp.json`, in the dialects in use: what is right in it, and for each thing that is not, file, line, key and remedy.
 *
 * Here the text is read, with its positions; what it means says `McpConfig`, which reads the configuration of `connectAll`, too.
 */
import { McpConfig } from "@mcp-lifeline/config"
import { Policy } from "@mcp-lifeline/core"
import { Problem as OptionProblem } from "@mcp-lifeline/core/internal"
import { Data, Either } from "effect"
import { homedir } from "node:os"
import { basename, dirname, resolve, sep } from "node:path"
import * as Document from "../document/Document.js"

/** One server of the file. */
export interface Entry {
  readonly name: string
  readonly server: McpConfig.StdioServer | McpConfig.HttpServer
  /** Options of the backend: those of the file below its own. */
  readonly policy: Policy.PolicyOptions
  /** Whether each client of the gateway has its own; else all share one. */
  readonly sessions: McpConfig.Server["sessions"]
  /** The problem at a key of this entry, for what only a later stage can find. */
  readonly problem: (key: OptionProblem.Path, message: string) => Problem
}

/** Something in the file that is not right. */
export interface Problem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** The path of the key, for example `mcpServers.docs.args[0]`. */
  readonly key: string
  /** What is wrong and what would be right; quotes no value. */
  readonly message: string
}

/**
 * A file that was read. A bad entry is in `problems` and does not stop the good ones; an option for all servers that is not
 * acceptable stops all. So is a key that means nothing here, which stops nothing.
 */
export interface McpJson {
  readonly entries: ReadonlyArray<Entry>
  readonly problems: ReadonlyArray<Problem>
  /** What may be meant otherwise than it is read, and one notice of all keys that belong to other programs. They stop nothing. */
  readonly notices: ReadonlyArray<Problem>
  /** The names of all servers in the file, good and bad, in its order. */
  readonly names: ReadonlyArray<string>
  /** Whether clients are offered the status of the servers. */
  readonly statusTool: boolean
  /** How many servers of single clients may run at once, where the file says it. */
  readonly maxOwnServers: number | undefined
  /** Whether the options for all servers are acceptable; there are no entries otherwise. */
  readonly isUsable: boolean
}

/** The whole file is unusable: no JSON or TOML, or no object of servers in it. */
export class BrokenFile extends Data.TaggedError("BrokenFile")<{ readonly problem: Problem }> {}

/** A problem in one line. */
export const show = (problem: Problem): string =>
  `${problem.file}:${problem.line}: ${problem.key === "" ? "" : `${problem.key}: `}${problem.message}`

type Path = OptionProblem.Path

/** As many keys as a notice lists. */
const listed = 8

/** One notice of all keys that belong to other programs, at the first of them. */
const foreignNotice = (found: ReadonlyArray<Problem>): ReadonlyArray<Problem> => {
  const [first, ...rest] = found.toSorted((a, b) => a.line - b.line)
  if (first === undefined) return []
  const others = [
    ...new Set(rest.map(({ key }) => key.split(".").at(-1)).filter((key) => key !== first.key.split(".").at(-1)))
  ]
  const more = others.length > listed
    ? `${others.slice(0, listed).join(", ")} and ${others.length - listed} more`
    : others.join(", ")
  const message = rest.length === 0
    ? "belongs to another program and has no effect here"
    : others.length === 0
    ? `belongs to another program and has no effect here, wherever it stands`
    : `belongs to another program and has no effect here; nor have ${more}`
  return [{ ...first, message }]
}

/** Not every client can have servers of its own. */
const withoutOwn = (servers: ReadonlyArray<Entry>): string =>
  "clients of MCP 2026-07-28 have no sessions, so the gateway does not offer them the servers of which each client has its own: "
  + servers.map(({ name }) => name).join(", ")

/**
 * The values of the variables that editors have for folders, such as `${workspaceFolder}`. The workspace is the folder of the file, or,
 * if that folder is hidden (for example `.vscode`), its parent.
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

/** So many problems of one file are worth saying; each costs a look at the file. */
const mostProblems = 100

/** Reads the text of a file. `${..}` is taken from `env`, and from the place of the file. */
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
  const { problems: around, value: top } = McpConfig.readTop(document.value)
  if (top === undefined) {
    const [problem] = around.toSorted((a, b) => Number(a.key !== "misspelt") - Number(b.key !== "misspelt"))
    return broken(at(problem?.path ?? [], problem?.message ?? "has no servers"))
  }
  const depth = top.path.length
  const isBelow = (path: Path): boolean => top.path.every((key, index) => path[index] === key)
  const twice = document.repeated.filter(({ path }) =>
    isBelow(path) || path[0] === "lifeline" || (Policy.groups as ReadonlyArray<unknown>).includes(path[0])
  )
  const notices: Array<Problem> = []
  const foreign: Array<Problem> = []
  const problems = twice.map(({ line, path }) =>
    at(
      path,
      `appears more than once; ${path.length === depth + 1 ? "give each server its own name" : "keep one"}`,
      line
    )
  )
  /** Says what was found; whether it stops what it was found in. */
  const sort = (found: ReadonlyArray<OptionProblem.Problem>, prefix: Path, isTop: boolean): boolean => {
    for (const one of found.slice(0, Math.max(0, mostProblems - problems.length))) {
      const path = [...prefix, ...one.path]
      if (one.key === "ambiguous") notices.push(at(path, one.message))
      else if (one.key === "foreign") foreign.push(at(path, one.message))
      // What else stands beside the servers belongs to other programs.
      else if (one.key === "unknown" && isTop && one.path.length === 1) foreign.push(at(path, one.message))
      else problems.push(at(path, one.key === "unknown" ? `${one.message}. It has no effect` : one.message))
    }
    return found.some(({ key }) => key === undefined || (key === "misspelt" && !isTop))
  }
  const isTopBad = sort(around, [], true)
  const sources: McpConfig.Sources = {
    variables: env,
    places: folderVariables(file),
    inputs: top.inputs,
    bare: top.bare
  }
  const entries: Array<Entry> = []
  const names = [...new Set(document.names(top.path))]
  for (const name of names) {
    const path = [...top.path, name]
    const problem: Entry["problem"] = (key, message) => at([...path, ...key], message)
    const repeats = twice.filter((one) => isBelow(one.path) && one.path[depth] === name)
    // Of two servers with one name neither is read: who knows which is meant.
    if (repeats.some((one) => one.path.length === depth + 1)) continue
    if (name === "") problems.push(problem([], "needs a name"))
    const { problems: found, value: server } = McpConfig.readServer(top.servers[name], sources)
    const isBad = sort(found, path, false)
    if (server === undefined || isBad || name === "" || repeats.length > 0) continue
    entries.push({
      name,
      server: server.reach,
      policy: Policy.merge(top.policy, server.policy),
      sessions: server.sessions ?? top.sessions,
      problem
    })
  }
  const own = entries.filter(({ policy, sessions }) => sessions === "per-client" && policy.lifecycle?.disabled !== true)
  if (own[0] !== undefined) {
    const problem = top.sessions === "per-client" ? at : own[0].problem
    notices.push(problem(["lifeline", "sessions"], withoutOwn(own)))
  }
  // What is wrong with the options of all servers is wrong with each of them.
  const isUsable = !isTopBad && twice.every(({ path }) => isBelow(path) && path.length > depth)
  return Either.right({
    entries: isUsable ? entries : [],
    problems,
    notices: [...notices, ...foreignNotice(foreign)],
    names,
    statusTool: top.statusTool,
    maxOwnServers: top.maxOwnServers,
    isUsable
  })
}
