import type { ConnectError } from "@mcp-lifeline/core"
import { ByteSize, Check, Problem, SecretCommand, TimeSpan } from "@mcp-lifeline/core/options"
import { Duration, Effect, Redacted } from "effect"
import * as ShortCommand from "./ShortCommand.js"
import * as SpawnFailure from "./SpawnFailure.js"

export interface Options extends SecretCommand.SecretCommand {
  /** Default: that of this process. */
  readonly cwd?: string | undefined
}

export const defaults = { timeout: Duration.seconds(10) } as const

/** In bytes. */
const maxBytes = ByteSize.kibibytes(64)

/** `make` throws these as an `InvalidOptions`. */
export const problems = ({ cwd, ...options }: Options): ReadonlyArray<Problem.Problem> => [
  ...SecretCommand.check(options, []),
  ...cwd === undefined ? [] : Check.string(cwd, ["cwd"])
]

const remedy =
  "run it in a terminal to see what it needs; what it writes to stderr is not shown, because that may be secret"

const withoutNewline = (text: string): string => text.replace(/\r?\n$/, "")

/**
 * Succeeds with what the command writes to stdout, without the line break at its end. Connectors run it for each connection, as a value of
 * `env` or `headers`.
 *
 * The command gets no shell, no input, and the environment of this process. It fails if the program is not found (permanent), exits with
 * another code than 0, writes nothing, more than 64 KiB or no UTF-8, or takes too long. No error contains its output or arguments. The
 * process ends with the effect, and with it what it has started.
 *
 * Throws an `InvalidOptions` that lists all problems.
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
        return Effect.fail(ShortCommand.failed(`${program} wrote a null character: ${tooLong}`))
      }
      return Effect.succeed(Redacted.make(`${prefix}${secret}`))
    }
  )
}

/** Words are separated by blanks, and quotes keep blanks together. */
export const ofLine = (line: string): Options => ({ command: SpawnFailure.words(line) })

/** A command becomes an effect that runs it, and anything else stays. */
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
