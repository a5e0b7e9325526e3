/**
 * MCP servers as child processes.
 */
import type { ConnectError, Connector } from "@mcp-lifeline/core"
import { Bytes, ByteSize, Check, mebibytes, Problem, SecretValues, TimeSpan } from "@mcp-lifeline/core/internal"
import { Binding, EraMemory, SpeaksSessions } from "@mcp-lifeline/protocol"
import { Duration, Effect, Predicate, Redacted, Runtime } from "effect"
import { Container } from "./Container.js"
import * as ContainerCommand from "./ContainerCommand.js"
import { ContainerTransport } from "./ContainerTransport.js"
import * as Environment from "./Environment.js"
import { maxLineBytes } from "./Framing.js"
import * as Installer from "./Installer.js"
import { MemoryLimit } from "./MemoryLimit.js"
import type { Recorder } from "./Recorder.js"
import * as Secrets from "./Secrets.js"
import { downloading, type Options as TransportOptions, StdioTransport } from "./StdioTransport.js"
import * as WindowsJob from "./WindowsJob.js"

/** Options of a stdio connector. */
export interface Options {
  /**
   * The program. It is started without a shell. On Windows, a name without a folder is looked up along the PATH and PATHEXT of the server's
   * environment, not in the current folder, and `cmd.exe` runs scripts (`.cmd`, `.bat`), whose arguments may not contain line breaks.
   */
  readonly command: string
  /**
   * Its arguments. The connector masks what looks like a secret (`--api-key x`, `TOKEN=x`, `Authorization: x`, credentials in a URL) in
   * messages and, from 8 characters on, in what the server writes to stderr. Put secrets into `env`: other users of the machine may see
   * the arguments of a process.
   */
  readonly args?: ReadonlyArray<string> | undefined
  /**
   * Environment variables, in addition to the few that the server always inherits: HOME, PATH and the like, and those with which `npx`,
   * `uvx`, `pip` and `docker` find proxies, certificates, registries, their daemon and their folders (docs/reference/stdio.md lists them). In
   * what the server writes to stderr, the connector masks values of 8 characters or more, and credentials in URLs of inherited variables.
   * Null removes an inherited variable. On Windows, names are the same in any case. The connector runs an Effect before each start of the
   * server, such as one of `SecretCommand.make`.
   */
  readonly env?: {
    readonly [name: string]: string | Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted, ConnectError> | null
  } | undefined
  /** The working directory. Default: that of this process. */
  readonly cwd?: string | undefined
  /** Whether the server inherits the whole environment of this process. Default false. */
  readonly inheritEnv?: boolean | undefined
  /**
   * The era of the protocol. `2025`: the revisions with sessions, up to 2025-11-25. `2026`: the revision without, 2026-07-28. `auto`, the
   * default: whichever the server speaks. The connector first sends `server/discover`. If the server does not answer, the connector sends
   * `initialize` after 5 s, or a third of `timeouts.connect` if that is shorter; if the server exits, the connector starts it once more. If
   * the server has sessions, the connector remembers this for a day, or until the server refuses `initialize`, so that the next connection
   * does not ask.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** The longest message, in bytes. The connector drops a longer one while it arrives, and only its own request fails. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /**
   * How much memory the server may use, with all processes of its group: bytes, or a text such as `"512 MB"` or `"1 GiB"`, at least 10 MB.
   * At 80% Lifeline warns. Above the limit it lets calls in flight finish, within `timeouts.drain`, and starts a new process; at most once a
   * minute. On Windows this needs the optional dependency for jobs. Default: no limit.
   */
  readonly maxMemory?: ByteSize.ByteSize | undefined
  /**
   * How long the server may take to exit after its stdin has been closed. Then it gets SIGTERM (on Windows, it is ended). Default 2 seconds.
   * Keep the sum of `stdinGrace` and `termGrace` below `timeouts.close` (5 seconds): Lifeline does not wait longer for a close. The process
   * is still terminated, but the next one may start before it has exited.
   */
  readonly stdinGrace?: TimeSpan.TimeSpan | undefined
  /** How long its process group may take to exit after SIGTERM. Then it gets SIGKILL. Default 2 seconds. Not used on Windows. */
  readonly termGrace?: TimeSpan.TimeSpan | undefined
  /**
   * How long a start of the server may take, to its answer to the first request. An attempt ends after `timeouts.connect`, but its process goes
   * on, and the next attempt waits for the same one. A limit that is not longer than `timeouts.connect` ends the process with its attempt.
   * Default 5 minutes, or three times the slowest start that this server has shown, if that is longer.
   */
  readonly startLimit?: TimeSpan.TimeSpan | undefined
  /** Whether SIGINT, SIGTERM and SIGHUP terminate the server's process group and then this process. Default false. */
  readonly handleSignals?: boolean | undefined
  /** Whether processes are recorded, where the connector has a recorder. Default true. */
  readonly record?: boolean | undefined
  /** Called with each line that the server writes to stderr, with secrets masked. If it throws, this is logged once for each connection. */
  readonly stderr?: ((line: string) => void) | undefined
}

type Values = { readonly [name: string]: string | Redacted.Redacted<string> | null }

/** Milliseconds, of a start. */
const longest = 86_400_000

/** The defaults of the options. */
export const defaults = {
  protocol: "auto",
  inheritEnv: false,
  maxMessageBytes: mebibytes(16),
  stdinGrace: Duration.seconds(2),
  termGrace: Duration.seconds(2),
  startLimit: Duration.minutes(5),
  handleSignals: false,
  record: true
} as const

const grace = Check.span(0, 600_000)

/** Returns all problems with options. `make` throws them as an `InvalidOptions`. */
export const problems: (options: Options) => ReadonlyArray<Problem.Problem> = (options) => check(options, [])

const check = Check.options(
  {
    command: Check.string,
    args: Check.list(Check.string, "an array of strings"),
    env: Check.values(
      Check.isSecret(
        (value) => Predicate.isString(value) || Redacted.isRedacted(value) || Effect.isEffect(value) || value === null,
        "a string, one that is Redacted, an Effect, or null"
      ),
      "an object of strings"
    ),
    cwd: Check.string,
    inheritEnv: Check.flag,
    protocol: Check.oneOf("auto", "2025", "2026"),
    maxMessageBytes: Check.whole(1024, Infinity),
    maxMemory: Check.memory,
    stdinGrace: grace,
    termGrace: grace,
    startLimit: Check.span(0, longest),
    handleSignals: Check.flag,
    record: Check.flag,
    stderr: Check.func
  } satisfies Record<keyof Required<Options>, Check.Check>,
  "a server that is started"
)

const loadJobs = Effect.flatMap(
  Effect.promise(() => WindowsJob.load()),
  (warning) => warning === undefined ? Effect.void : Effect.logWarning(warning)
)

/**
 * A connector that starts a process for each connection, in a process group of its own, and terminates the whole group when the connection
 * closes.
 *
 * To close, the connector closes stdin, then sends SIGTERM, then SIGKILL to the group, each after its grace period. It waits until the
 * process has exited and no process of its group is left. If this process exits, the connector sends SIGKILL to the groups; if this
 * process is killed, the servers see the end of their stdin. The connector cannot reach a daemon that has left its group.
 *
 * If the command runs a container (`docker`, `podman` or `nerdctl` with `run`, `container run` or `compose run`), the connector gives the container
 * a label, `mcp-lifeline.run`. Whenever the command has ended, in whatever way, the connector stops and removes the container that has it, and starts
 * the next process after that. A failure of this is a warning.
 *
 * On Windows, each process and whatever it starts is in a Job Object. To close, the connector closes stdin and, after `stdinGrace`, ends
 * the whole job; it also does so if the process exits, and Windows does so if this process ends in any way. This needs an optional
 * dependency, `@koromix/koffi-win32-x64` or `-arm64`, which npm installs on Windows. Without it, the connector logs a warning, and uses
 * `taskkill /T /F`, which misses what a process that has exited had started.
 *
 * A `recorder` is told of each process. With `ProcessRecords` of `@mcp-lifeline/state`, what is left of servers after this process was killed is ended by the
 * next one that calls `endLeft`. Give it `LeftContainer.end`, so that it removes containers, too.
 *
 * Throws an `InvalidOptions` that lists every option that is out of range or does not exist.
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
export const make = (options: Options, recorder?: Recorder): Connector => {
  const wrong = problems(options)
  if (Problem.some(wrong)) throw Problem.refuse("", wrong)
  const args = options.args ?? []
  const given = options.env ?? {}
  const known = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => Effect.isEffect(value) ? [] : [[name, value]])
  )
  const environment = (env: Values) =>
    Environment.make({ env, inheritEnv: options.inheritEnv }, process.env, process.platform)
  const maxMessageBytes = Bytes(options.maxMessageBytes ?? defaults.maxMessageBytes)
  const stdinGrace = TimeSpan.millis(options.stdinGrace ?? defaults.stdinGrace)
  const termGrace = TimeSpan.millis(options.termGrace ?? defaults.termGrace)
  const maxMemory = options.maxMemory === undefined ? undefined : ByteSize.bytes(options.maxMemory)
  const protocol = options.protocol ?? defaults.protocol
  const memory = new EraMemory.EraMemory()
  const target = Secrets.commandLine(Secrets.collect(known, args, environment(known)), options.command, args)
  const containerCommand = ContainerCommand.parse(options.command, args)
  const startLimit = TimeSpan.millis(options.startLimit ?? defaults.startLimit)
  const installer = Installer.nameOf(options.command, args)
  /** The ends of processes of earlier attempts, which may still be downloading the server. */
  const installing = new Set<Promise<void>>()
  const ending = new Set<Promise<void>>()
  const transportOf = (given: TransportOptions): StdioTransport => {
    if (containerCommand === undefined) return new StdioTransport(given)
    const { cwd, env, termGrace, warn } = given
    const container = Container.of(containerCommand, { cwd, env, termGrace, ending, warn })
    const labelled = ContainerCommand.labelled(containerCommand, container.found.run)
    return new ContainerTransport({ ...given, args: labelled, container }, ending)
  }
  let hasWarned = containerCommand?.interactive !== false
  return {
    transport: "stdio",
    overlap: false,
    target,
    usageLimit: maxMemory === undefined ? undefined : () => new MemoryLimit(maxMemory),
    startLimit: (slowest = 0) =>
      options.startLimit === undefined ? Math.min(Math.max(startLimit, slowest * 3), longest) : startLimit,
    connect: (connectOptions) =>
      Effect.gen(function*() {
        const runtime = yield* Effect.runtime<never>()
        const binding = yield* Binding.load(connectOptions)
        connectOptions.report({ _tag: "Attempt", describe: () => "a value of env is still being read" })
        const values = yield* SecretValues.read(given, "env")
        if (installer !== undefined && installing.size > 0) {
          // Two of them at once would download into the same folder.
          connectOptions.report({
            _tag: "Attempt",
            describe: () => `an earlier start is not over: ${downloading(installer)}`
          })
          yield* Effect.promise(() => Promise.all(installing))
        }
        if (process.platform === "win32") yield* loadJobs
        const runFork = Runtime.runFork(runtime)
        if (!hasWarned) {
          hasWarned = true
          yield* Effect.logWarning(ContainerCommand.notInteractive).pipe(Effect.annotateLogs({ target }))
        }
        const make = (): StdioTransport => {
          const recording = options.record === false ? undefined : recorder?.begin()
          const env = { ...environment(values), ...recording?.env }
          const transport = transportOf({
            command: options.command,
            args,
            env,
            cwd: options.cwd,
            stdinGrace,
            termGrace,
            handleSignals: options.handleSignals ?? defaults.handleSignals,
            maxMessageBytes,
            maxLineBytes,
            installer,
            installing,
            installTime: installer === undefined ? undefined : Installer.installTime,
            secrets: Secrets.collect(values, args, env),
            recording,
            hasMemoryLimit: maxMemory !== undefined,
            target,
            onStderr: options.stderr,
            warn: (message) => {
              runFork(Effect.logWarning(message).pipe(Effect.annotateLogs({ target })))
            }
          })
          connectOptions.report({
            _tag: "Attempt",
            describe: () => transport.describe(),
            look: () => transport.look,
            hangs: () => transport.hangs()
          })
          return transport
        }
        memory.adopt(connectOptions.known)
        return yield* protocol === "auto"
          ? binding.connectAuto(make, memory, connectOptions)
          : protocol === "2025"
          ? binding.connect(make(), connectOptions)
          : Effect.catchTag(
            binding.connectStateless(make(), "http", connectOptions),
            "SpeaksSessions",
            (error) => Effect.fail(SpeaksSessions.incompatible(target, error))
          )
      })
  }
}
