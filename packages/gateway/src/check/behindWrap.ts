/**
 * Finds the server behind `wrap`. To connect to `wrap` says nothing of it, because `wrap` answers from what it remembers.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import * as LifelineCommand from "@mcp-lifeline/config/LifelineCommand"
import { type ConnectError, type Connector, Policy } from "@mcp-lifeline/core"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { SecretCommand, ShortCommand } from "@mcp-lifeline/transport-stdio"
import { Effect, Either, Option, Record, Redacted, type Scope } from "effect"
import { basename, resolve, win32 } from "node:path"
import { read as readCommand, UsageError } from "../commandLine/read.js"
import type * as Backends from "../config/Backends.js"
import type { Entry, Problem } from "../config/McpJson.js"
import * as Arguments from "../wrap/Arguments.js"
import * as Server from "../wrap/Server.js"
import type { Connected } from "./report.js"

/** Programs that start Lifeline here, with the variables that they get. */
const launchers = /^(node|npx|npm|pnpm|pnpx|yarn|bunx?)$/i

/** A line for a shell in which nothing is but words and quotes. */
const plainLine = /^[\w\s@%+:,./='"-]+$/

const nameOf = (program: string): string => basename(win32.basename(program)).replace(/\.(cmd|exe|bat|ps1)$/i, "")

/** The words with which the program is started that a shell starts. `undefined` if the shell would change them. */
const withoutShell = (words: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  const [shell = "", option = "", line = "", ...rest] = words
  if (/^(ba|da|z|k)?sh$/.test(nameOf(shell)) && option === "-c" && rest.length === 0) {
    return plainLine.test(line) ? SecretCommand.ofLine(line).command : undefined
  }
  if (!/^cmd$/i.test(nameOf(shell))) return words
  return /^\/c$/i.test(option) && !words.some((word) => word.includes("%")) ? words.slice(2) : undefined
}

/** A command line of `wrap`. */
interface CommandLine {
  /** The words that start Lifeline. */
  readonly launcher: ReadonlyArray<string>
  readonly wrap: Arguments.Wrap
}

/** Reads a command line of `wrap`. A text says why that is not possible, and a UsageError what `wrap` refuses. */
const parse = ({ args, command }: McpConfig.StdioServer): CommandLine | UsageError | string | undefined => {
  const words = [command, ...args]
  if (LifelineCommand.of(words) !== "wrap") return undefined
  const found = LifelineCommand.wrap(withoutShell(words) ?? [])
  if (found === undefined) return "a shell makes its command line"
  const { launcher } = found
  const [program = ""] = launcher
  if (launcher.length > 1 && !launchers.test(nameOf(program))) return `${nameOf(program)} starts it`
  try {
    const request = readCommand(Arguments.command, found.args, {}) as Arguments.Request | undefined
    if (request === undefined) return new UsageError({ message: "--help only shows the help of wrap" })
    return request.options.http === undefined
      ? { launcher, wrap: request.options }
      : new UsageError({ message: "--http serves a URL instead of standard input and output, where this host speaks" })
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
}

/** The server behind `wrap`. */
export interface Behind {
  readonly connector: Connector
  /** What `wrap` adds to the options of the entry. */
  readonly policy: Policy.PolicyOptions
  /** Starts Lifeline as the host does, only to see whether that is possible. */
  readonly start: Effect.Effect<unknown, ConnectError>
}

/** The servers behind `wrap`, by the names of their entries. */
export interface Found {
  readonly servers: ReadonlyMap<string, Behind>
  /** The names of entries whose server cannot be seen, and must not be taken for what `wrap` answers. */
  readonly hidden: ReadonlySet<string>
  /** What `wrap` refuses. */
  readonly problems: ReadonlyArray<Problem>
  readonly notices: ReadonlyArray<Problem>
}

/** How long the host may take to start Lifeline: npx may have to fetch it first. */
const startTimeout = "1 minute"

const serverOf = (
  { launcher, wrap }: CommandLine,
  { cwd: relative, env: given }: McpConfig.StdioServer,
  folder: string
) =>
  Effect.gen(function*() {
    const cwd = relative && resolve(folder, relative)
    const env = Record.filterMap(given, (value) =>
      Redacted.isRedacted(value) ? Option.some(Redacted.value(value)) : Option.none())
    const unset = Record.map(
      Record.filter(given, (value) =>
        value === null),
      () => undefined
    )
    const server = wrap.server._tag === "Address" ? { ...wrap.server, browser: false } : wrap.server
    const made = Server.makeIn({ ...wrap, server }, {
      variables: { ...process.env, ...env, ...unset },
      env: SecretCommand.effects(given, folder),
      inheritEnv: false,
      cwd
    })
    // Its logins are there.
    const state = env["MCP_LIFELINE_STATE"] ?? ""
    const { connector } = yield* state === ""
      ? made
      : Effect.provide(made, StateFolder.layerAt(resolve(cwd ?? ".", state)))
    const behind: Behind = {
      connector,
      policy: yield* Server.readPolicy(wrap, connector),
      start: ShortCommand.run({
        command: [...launcher, "--version"],
        cwd,
        env,
        timeout: startTimeout,
        remedy: "run the command of this entry in a terminal to see why"
      })
    }
    return behind
  })

/** Looks behind the entries that are `wrap`. `folder`: the folder of the file. */
export const find = (
  entries: ReadonlyArray<Entry>,
  folder: string
): Effect.Effect<Found, never, Scope.Scope | StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const servers = new Map<string, Behind>()
    const hidden = new Set<string>()
    const problems: Array<Problem> = []
    const notices: Array<Problem> = []
    for (const { name, problem, server } of entries) {
      const line = server._tag === "Stdio" ? parse(server) : undefined
      if (line === undefined || server._tag !== "Stdio") continue
      if (typeof line === "string") {
        hidden.add(name)
        const message =
          `${line}, so that check cannot see the server behind wrap; try what stands behind wrap by itself`
        notices.push(problem(["command"], message))
        continue
      }
      const found = line instanceof UsageError
        ? Either.left(line)
        : yield* Effect.either(serverOf(line, server, folder))
      if (Either.isRight(found)) servers.set(name, found.right)
      else {
        hidden.add(name)
        problems.push(problem(["args"], `wrap refuses them: ${found.left.message}`))
      }
    }
    return { servers, hidden, problems, notices }
  })

/** The server that an entry stands for: the one behind `wrap`, if it is `wrap`. */
export const instead = (server: Backends.Server, { servers }: Found): Backends.Server => {
  const behind = servers.get(server.id)
  return behind === undefined
    ? server
    : { ...server, ...Policy.merge(server, behind.policy), connector: behind.connector }
}

/** The result for a server behind `wrap` that has answered: whether its host can start `wrap`, too. */
export const startable = (connected: Connected, behind: Behind | undefined): Effect.Effect<Connected> =>
  behind === undefined || !connected.ok
    ? Effect.succeed(connected)
    : Effect.match(behind.start, {
      onSuccess: () => connected,
      onFailure: ({ message }): Connected => ({
        ok: false,
        error: `the server answers, but wrap in front of it does not start: ${message}`
      })
    })
