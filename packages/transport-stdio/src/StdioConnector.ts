/**
 * MCP servers as child processes.
 */
import type { Connector } from "@mcp-lifeline/core"
import { Check, Problem, TimeSpan } from "@mcp-lifeline/core"
import { Binding, EraMemory, SpeaksSessions } from "@mcp-lifeline/protocol"
import { Duration, Effect, Predicate, Redacted, Runtime } from "effect"
import * as Environment from "./Environment.js"
import { maxLineBytes } from "./Framing.js"
import * as Secrets from "./Secrets.js"
import { StdioTransport } from "./StdioTransport.js"

/** Options of a stdio connector. */
export interface Options {
  /** The program. It is started without a shell. */
  readonly command: string
  /**
   * Its arguments. What sounds like a secret among them (`--api-key x`, `TOKEN=x`, `Authorization: x`, credentials in a URL) is
   * masked in messages and, from 8 characters on, in what the server writes to stderr. `env` is the better place for it: other
   * users of the machine may see the arguments of a process.
   */
  readonly args?: ReadonlyArray<string> | undefined
  /**
   * Environment variables beside the safe ones that are inherited (HOME, LANG, LC_*, LOGNAME, PATH, SHELL, TERM, TMPDIR, TZ,
   * USER, and on Windows their like). Values of 8 characters or more are masked in what the server writes to stderr. Null takes an
   * inherited variable away.
   */
  readonly env?: { readonly [name: string]: string | Redacted.Redacted<string> | null } | undefined
  /** The working directory. Default: ours. */
  readonly cwd?: string | undefined
  /** Inherit all of our environment. Default false. */
  readonly inheritEnv?: boolean | undefined
  /**
   * The era of the protocol. `2025`: the revisions with sessions, to 2025-11-25. `2026`: the revision without, 2026-07-28. `auto`, the
   * default: what the server speaks. It is asked that (`server/discover`) before it is initialized; one that is silent is initialized after
   * 5 s, or a third of `timeouts.connect` where that is shorter, and one that exits is started once more. That a server has sessions is
   * remembered for a day, or until it refuses to be initialized, so that the next connection does not ask.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** A longer message is dropped as it streams, and fails only its own request. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /**
   * How long the server may take to exit once its stdin has ended, before SIGTERM. Default 2 seconds. Keep both graces
   * together below `timeouts.close` (5 seconds): a close that takes longer is abandoned, and though the process is still ended,
   * the next one then starts beside it.
   */
  readonly stdinGrace?: TimeSpan.TimeSpan | undefined
  /** How long its process group may take to end after SIGTERM, before SIGKILL. Default 2 seconds. */
  readonly termGrace?: TimeSpan.TimeSpan | undefined
  /** End the process group on SIGINT, SIGTERM and SIGHUP to this process, and then this process. Default false. */
  readonly handleSignals?: boolean | undefined
  /** Is given each line that the server writes to stderr, secrets masked. What it throws is logged, once a connection. */
  readonly stderr?: ((line: string) => void) | undefined
}

/** What is used where an option is not given. */
export const defaults = {
  protocol: "auto",
  inheritEnv: false,
  maxMessageBytes: 16 * 1024 * 1024,
  stdinGrace: Duration.seconds(2),
  termGrace: Duration.seconds(2),
  handleSignals: false
} as const

const grace = Check.span(0, 600_000)

/** Everything that is wrong with options; `make` throws an `InvalidOptions` of it. */
export const problems: (options: Options) => ReadonlyArray<Problem.Problem> = (options) => check(options, [])

const check = Check.options(
  {
    command: Check.string,
    args: Check.list(Check.string, "an array of strings"),
    env: Check.values(
      Check.isSecret(
        (value) => Predicate.isString(value) || Redacted.isRedacted(value) || value === null,
        "a string, one that is Redacted, or null"
      ),
      "an object of strings"
    ),
    cwd: Check.string,
    inheritEnv: Check.flag,
    protocol: Check.oneOf("auto", "2025", "2026"),
    maxMessageBytes: Check.whole(1024, Infinity),
    stdinGrace: grace,
    termGrace: grace,
    handleSignals: Check.flag,
    stderr: Check.func
  } satisfies Record<keyof Required<Options>, Check.Check>,
  "a server that is started"
)

/**
 * A connector that starts a process for each connection, in a process group of its own, and ends the whole group with it.
 *
 * Closing: stdin ends, then SIGTERM, then SIGKILL to the group, each after its grace; the close ends when the process has
 * exited and none of its group is left. Should this process exit, the groups get SIGKILL; should it be killed, the servers
 * see their stdin end. Out of reach: a daemon that has left its group. On Windows, `taskkill /T /F` takes the place of the
 * signals.
 *
 * Throws an `InvalidOptions` that names every option that is out of its range or does not exist.
 *
 * @example
 * ```ts
 * import { StdioConnector } from "@mcp-lifeline/transport-stdio"
 *
 * const connector = StdioConnector.make({
 *   command: "npx",
 *   args: ["-y", "@modelcontextprotocol/server-everything", "stdio"]
 * })
 * ```
 */
export const make = (options: Options): Connector => {
  const wrong = problems(options)
  if (Problem.some(wrong)) throw Problem.refuse("", wrong)
  const args = options.args ?? []
  const secrets = Secrets.collect(options.env, args)
  const maxMessageBytes = options.maxMessageBytes ?? defaults.maxMessageBytes
  const stdinGrace = TimeSpan.millis(options.stdinGrace ?? defaults.stdinGrace)
  const termGrace = TimeSpan.millis(options.termGrace ?? defaults.termGrace)
  const protocol = options.protocol ?? defaults.protocol
  const memory = new EraMemory.EraMemory()
  const target = Secrets.commandLine(secrets, options.command, args)
  return {
    transport: "stdio",
    overlap: false,
    target,
    connect: (connectOptions) =>
      Effect.gen(function*() {
        const runtime = yield* Effect.runtime<never>()
        const binding = yield* Binding.load(connectOptions)
        const runFork = Runtime.runFork(runtime)
        const make = (): StdioTransport => {
          const transport = new StdioTransport({
            command: options.command,
            args,
            env: Environment.make(options, process.env, process.platform),
            cwd: options.cwd,
            stdinGrace,
            termGrace,
            handleSignals: options.handleSignals ?? defaults.handleSignals,
            maxMessageBytes,
            maxLineBytes,
            secrets,
            target,
            onStderr: options.stderr,
            warn: (message) => {
              runFork(Effect.logWarning(message).pipe(Effect.annotateLogs({ target })))
            }
          })
          connectOptions.onAttempt?.(() => transport.describe())
          return transport
        }
        switch (protocol) {
          case "auto":
            return yield* binding.connectAuto(make, memory, connectOptions)
          case "2025":
            return yield* binding.connect(make(), connectOptions)
          case "2026":
            return yield* binding.connectStateless(make(), "http", connectOptions).pipe(
              Effect.catchTag("SpeaksSessions", (error) => Effect.fail(SpeaksSessions.incompatible(target, error)))
            )
        }
      })
  }
}
