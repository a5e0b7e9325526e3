import type { ConnectError, Connector } from "@mcp-lifeline/core"
import { ByteSize, Check, Problem, TimeSpan } from "@mcp-lifeline/core/options"
import { Binding, EraMemory, machineAddresses, SecretValues, SpeaksSessions } from "@mcp-lifeline/protocol"
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
import { type Options as TransportOptions, StdioTransport } from "./StdioTransport.js"
import * as WindowsJob from "./WindowsJob.js"

export interface Options {
  /**
   * Started without a shell. On Windows, a name without a folder is looked up along the server's PATH and PATHEXT, not in the current
   * folder; `cmd.exe` runs scripts (`.cmd`, `.bat`), whose arguments may not contain line breaks.
   */
  readonly command: string
  /**
   * What looks like a secret (`--api-key x`, `TOKEN=x`, `Authorization: x`, credentials in a URL) is masked in messages and, from 8
   * characters on, in stderr. Put secrets into `env`: other users of the machine may see arguments.
   */
  readonly args?: ReadonlyArray<string> | undefined
  /**
   * In addition to what is always inherited (docs/reference/stdio.md): HOME, PATH and the like, and what `npx`, `uvx`, `pip` and `docker`
   * need. In stderr, values of 8 characters or more are masked, and credentials in inherited URLs. Null removes an inherited variable. On
   * Windows, names are the same in any case. An Effect, such as one of `SecretCommand.make`, is run before each start.
   */
  readonly env?: {
    readonly [name: string]: string | Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted, ConnectError> | null
  } | undefined
  /** Default: that of this process. */
  readonly cwd?: string | undefined
  /** Whether to inherit the whole environment of this process. Default false. */
  readonly inheritEnv?: boolean | undefined
  /**
   * `2025`: the revisions with sessions, up to 2025-11-25. `2026`: 2026-07-28, without. `auto`, the default: sends `server/discover`, and
   * then `initialize` if that is refused, or not answered for 5 s (or a third of `timeouts.connect`, if that is shorter). A server that
   * exits is started once more. That it has sessions is remembered for a day, or until it refuses `initialize`.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** In bytes. A longer message is dropped while it arrives, and only its own request fails. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /**
   * Of the whole process group: bytes, or a text such as `"512 MB"` or `"1 GiB"`, at least 10 MB. At 80% Lifeline warns. Above the limit,
   * calls in flight finish, within `timeouts.drain`, and a new process starts; at most once a minute. On Windows this needs the optional
   * dependency for jobs. Default: no limit.
   */
  readonly maxMemory?: ByteSize.ByteSize | undefined
  /**
   * From the end of stdin to SIGTERM (on Windows, to the end of the process). Default 2 seconds. Keep the sum of `stdinGrace` and
   * `termGrace` below `timeouts.close` (5 seconds): otherwise the next process may start before this one has exited.
   */
  readonly stdinGrace?: TimeSpan.TimeSpan | undefined
  /** From SIGTERM to SIGKILL of the process group. Default 2 seconds. Not used on Windows. */
  readonly termGrace?: TimeSpan.TimeSpan | undefined
  /**
   * Of a start, to the first answer. An attempt ends after `timeouts.connect`, but its process goes on, and the next attempt waits for it;
   * a limit that is not longer ends both. Default 5 minutes, or three times the slowest start of this server, if that is longer.
   */
  readonly startLimit?: TimeSpan.TimeSpan | undefined
  /** Whether SIGINT, SIGTERM and SIGHUP end the process group and then this process. Default false. */
  readonly handleSignals?: boolean | undefined
  /** Whether the recorder records processes. Default true. */
  readonly record?: boolean | undefined
  /** Called with each line of stderr, with secrets masked. If it throws, this is logged once for each connection. */
  readonly stderr?: ((line: string) => void) | undefined
}

type Values = { readonly [name: string]: string | Redacted.Redacted<string> | null }

/** Milliseconds, of a start. */
const longest = 86_400_000

export const defaults = {
  protocol: "auto",
  inheritEnv: false,
  maxMessageBytes: ByteSize.mebibytes(16),
  stdinGrace: Duration.seconds(2),
  termGrace: Duration.seconds(2),
  startLimit: Duration.minutes(5),
  handleSignals: false,
  record: true
} as const

const grace = Check.span(0, 600_000)

/** `make` throws these as an `InvalidOptions`. */
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
 * Starts a process for each connection, in a process group of its own.
 *
 * To close, it ends stdin, then sends SIGTERM and SIGKILL to the group, each after its grace period, and waits until no process of it is
 * left. If this process exits, the groups get SIGKILL; if it is killed, they see the end of their stdin. A daemon that has left its group
 * is out of reach.
 *
 * A container that the command runs (`docker`, `podman` or `nerdctl` with `run`, `container run` or `compose run`) gets a label,
 * `mcp-lifeline.run`. It is stopped and removed once the command has ended, in whatever way, and before the next start; a failure of this
 * is a warning.
 *
 * On Windows, a Job Object holds the process and whatever it starts. It is ended after `stdinGrace`, when the process exits, and when this
 * process ends in any way. This needs an optional dependency, `@koromix/koffi-win32-x64` or `-arm64`, which npm installs there. Without it,
 * a warning is logged, and `taskkill /T /F` misses what an exited process had started.
 *
 * With a `recorder` such as `ProcessRecords` of `@mcp-lifeline/state`, `endLeft` ends what was left when this process was killed; give it
 * `LeftContainer.end` for containers.
 *
 * Throws an `InvalidOptions` that lists all problems.
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
  const maxMessageBytes = ByteSize.Bytes(options.maxMessageBytes ?? defaults.maxMessageBytes)
  const stdinGrace = TimeSpan.millis(options.stdinGrace ?? defaults.stdinGrace)
  const termGrace = TimeSpan.millis(options.termGrace ?? defaults.termGrace)
  const maxMemory = ByteSize.toBytes(options.maxMemory)
  const protocol = options.protocol ?? defaults.protocol
  const memory = new EraMemory.EraMemory()
  const target = Secrets.commandLine(Secrets.collect(known, args, environment(known)), options.command, args)
  const containerCommand = ContainerCommand.parse(options.command, args)
  const startLimit = TimeSpan.millis(options.startLimit ?? defaults.startLimit)
  const installer = Installer.nameOf(options.command, args)
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
    addresses: machineAddresses,
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
            describe: () => `an earlier start is not over: ${Installer.downloading(installer)}`
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
