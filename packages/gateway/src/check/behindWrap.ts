/**
 * To connect to `wrap` says nothing of the server behind it, because `wrap` answers from what it remembers.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import * as LifelineCommand from "@mcp-lifeline/config/LifelineCommand"
import type { ConnectError, Connector } from "@mcp-lifeline/core"
import { ServerOptions } from "@mcp-lifeline/extensions"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { SecretCommand, ShortCommand } from "@mcp-lifeline/transport-stdio"
import { Effect, Either, Option, Record, Redacted, type Scope } from "effect"
import { basename, resolve, win32 } from "node:path"
import { read as readCommand, UsageError } from "../commandLine/read.js"
import type * as Backends from "../config/Backends.js"
import type { Entry } from "../config/McpJson.js"
import type { Problem } from "../document/Problem.js"
import * as Arguments from "../wrap/Arguments.js"
import * as Server from "../wrap/Server.js"
import type { Connected } from "./report.js"

const nameOf = (program: string): string => basename(win32.basename(program)).replace(/\.(cmd|exe)$/i, "")

/** Without the shell that `adopt` writes for Windows, which changes some characters. */
const withoutCmd = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [command = "", option = ""] = words
  const isCmd = /^cmd$/i.test(nameOf(command)) && /^\/c$/i.test(option)
  return isCmd && !words.some((word) => /[%&|<>^]/.test(word)) ? words.slice(2) : words
}

/** As `adopt` writes it: by itself, its file by Node.js, or npx. */
const isAdopted = ([program = "", ...rest]: ReadonlyArray<string>): boolean =>
  rest.length === 0 ||
  (nameOf(program) === "node" && rest.length === 1) ||
  (nameOf(program) === "npx" && rest.slice(0, -1).every((word) => word === "-y"))

interface CommandLine {
  /** The words that start Lifeline. */
  readonly launcher: ReadonlyArray<string>
  readonly wrap: Arguments.Wrap
}

/** Although the command line can be read; `undefined` if the server can be seen. */
const unseen = ({ server }: Arguments.Wrap, env: McpConfig.StdioServer["env"]): string | undefined => {
  if (server._tag === "Command") {
    return LifelineCommand.of([server.command, ...server.args]) === "wrap" ? "wrap starts wrap again" : undefined
  }
  const { id = "", secret = "" } = server.client
  const isRead = Object.entries(env).some(([name, value]) =>
    value !== null && !Redacted.isRedacted(value) && `${id}${secret}`.includes(`\${${name}}`)
  )
  return isRead ? "a command gives it the credentials of its client" : undefined
}

/** A text says why that is not possible, and a UsageError what `wrap` refuses. */
const parse = (
  { args, command, env, fromClient }: McpConfig.StdioServer
): CommandLine | UsageError | string | undefined => {
  const words = [command, ...args]
  if (LifelineCommand.of(words) !== "wrap") return undefined
  if (!Record.isEmptyRecord(fromClient)) return "it is started for each client, with what is known of it"
  const found = LifelineCommand.wrap(withoutCmd(words))
  if (found === undefined || !isAdopted(found.launcher)) return "it is not started as adopt starts it"
  const { launcher } = found
  try {
    const request = readCommand(Arguments.command, found.args, {}) as Arguments.Request | undefined
    if (request === undefined) return new UsageError({ message: "--help only shows the help of wrap" })
    return unseen(request.options, env) ?? { launcher, wrap: request.options }
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
}

export interface Behind {
  readonly connector: Connector
  /** What `wrap` adds to the options of the entry. */
  readonly policy: ServerOptions.ServerOptions
  /** Starts Lifeline as the host does, only to see whether that is possible. */
  readonly start: Effect.Effect<unknown, ConnectError>
}

/** By the names of entries. */
export interface Found {
  readonly servers: ReadonlyMap<string, Behind>
  /** Their server cannot be seen, and must not be taken for what `wrap` answers. */
  readonly hidden: ReadonlySet<string>
  /** What `wrap` refuses. */
  readonly problems: ReadonlyArray<Problem>
  readonly notices: ReadonlyArray<Problem>
}

/** npx may have to fetch Lifeline first. */
const startTimeout = "1 minute"

const serverOf = (
  { launcher, wrap }: CommandLine,
  { cwd: relative, env: given, stdio }: McpConfig.StdioServer,
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
      inheritEnv: stdio["inheritEnv"] === true,
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

/** `folder`: of the file. */
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

export const instead = (server: Backends.Server, { servers }: Found): Backends.Server => {
  const behind = servers.get(server.id)
  return behind === undefined
    ? server
    : { ...server, ...ServerOptions.merge(server, behind.policy), connector: behind.connector }
}

/** Whether the host of a server that has answered can start `wrap`, too. */
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
