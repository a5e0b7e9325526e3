/**
 * Secrets that a command writes: of a password manager, a vault or the system's keychain.
 */
import type { ConnectError } from "@mcp-lifeline/core"
import { Check, kibibytes, Problem, SecretCommand, TimeSpan } from "@mcp-lifeline/core/internal"
import { Duration, Effect, Redacted } from "effect"
import * as ShortCommand from "./ShortCommand.js"
import * as SpawnFailure from "./SpawnFailure.js"

export interface Options extends SecretCommand.SecretCommand {
  /** The folder in which it runs. Default: that of this process. */
  readonly cwd?: string | undefined
}

/** The defaults of the options. */
export const defaults = { timeout: Duration.seconds(10) } as const

/** The longest secret, in bytes. */
const maxBytes = kibibytes(64)

/** Returns all problems with options. `make` throws them as an `InvalidOptions`. */
export const problems = ({ cwd, ...options }: Options): ReadonlyArray<Problem.Problem> => [
  ...SecretCommand.check(options, []),
  ...cwd === undefined ? [] : Check.string(cwd, ["cwd"])
]

const remedy =
  "run it in a terminal to see what it needs; what it writes to stderr is not shown, because that may be secret"

const withoutNewline = (text: string): string => text.replace(/\r?\n$/, "")

/**
 * An effect that runs the command and succeeds with what it writes to stdout, without the line break at its end. For values of `env` and
 * `headers` of connectors, which run it for each connection.
 *
 * The command is started without a shell, with the environment of this process and without input. It fails if the program is not found (this is
 * permanent), if its exit code is not 0, if it writes nothing, more than 64 KiB or what is not UTF-8, and if it takes too long. No error contains what the command
 * wrote, or its arguments. If the effect ends or is interrupted, the process is ended, with what it has started.
 *
 * Throws an `InvalidOptions` that lists every option that is out of range or does not exist.
 *
 * @example
 * ```ts
 * import { SecretCommand, StdioConnector } from "@mcp-lifeline/transport-stdio"
 *
 * const connector = StdioConnector.make({
 *   command: "my-server",
 *   env: { API_KEY: SecretCommand.make({ command: ["op", "read", "op://dev/my-server/key"] }) }
 * })
 * ```
 */
export const make = (options: Options): Effect.Effect<Redacted.Redacted, ConnectError> => {
  const wrong = problems(options)
  if (Problem.some(wrong)) throw Problem.refuse("", wrong)
  const { command, cwd, prefix = "", timeout = defaults.timeout } = options
  const program = ShortCommand.programOf(options)
  const tooLong = "let it write nothing but the secret"
  return Effect.flatMap(
    ShortCommand.run({ command, cwd, timeout: TimeSpan.millis(timeout), maxBytes, tooLong, remedy }),
    (output) => {
      const secret = withoutNewline(output)
      if (secret === "") return Effect.fail(ShortCommand.failed(`${program} wrote nothing to stdout: ${remedy}`))
      if (secret.includes("\0")) {
        return Effect.fail(
          ShortCommand.failed(`${program} wrote a null character: let it write nothing but the secret`)
        )
      }
      return Effect.succeed(Redacted.make(`${prefix}${secret}`))
    }
  )
}

/** The options of a command that is written in one line: its words are separated by blanks, and quotes keep blanks together. */
export const ofLine = (line: string): Options => ({ command: SpawnFailure.words(line) })

/** Values for connectors: what comes from a command becomes an effect that runs it, and anything else stays. */
export const effects = <A>(
  values: { readonly [name: string]: A | SecretCommand.SecretCommand },
  cwd?: string
): {
  readonly [name: string]: Exclude<A, SecretCommand.SecretCommand> | Effect.Effect<Redacted.Redacted, ConnectError>
} =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      SecretCommand.is(value) ? make({ ...value, cwd }) : value as Exclude<A, SecretCommand.SecretCommand>
    ])
  )
