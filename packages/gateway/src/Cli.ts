/**
 * The command line: what was asked for, as data. Nothing is carried out here but `--help`, `--version` and the like.
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { Config, Console, Effect, Option, Redacted, Ref, Schema } from "effect"
import { stripVTControlCharacters } from "node:util"
import * as Check from "./check/commandLine.js"
import * as Ask from "./commands/commandLine.js"
import { UsageError } from "./Errors.js"
import type * as Serve from "./serve/Serve.js"
import * as SignIn from "./sign-in/commands/commandLine.js"
import { clean } from "./Text.js"
import { version } from "./Version.js"

/** What was asked for; `undefined` if it has been done already (help, version, completions). */
export type Request =
  | { readonly _tag: "Serve"; readonly options: Serve.Options }
  | Check.Request
  | Ask.Request
  | SignIn.Request
  | undefined

const port = Schema.NumberFromString.pipe(Schema.int(), Schema.between(0, 65_535)).annotations({
  message: () => ({ message: "--port must be a whole number from 0 to 65535 (0: any free port)", override: true })
})

const config = Options.text("config").pipe(
  Options.withPseudoName("file"),
  Options.withDescription("The mcp.json with the servers. Default: a demo of two servers."),
  Options.optional
)

const host = Options.text("host").pipe(
  Options.withPseudoName("address"),
  Options.withDescription(
    "The address to listen on. Any address other than loopback needs a token; if you give none, the gateway generates one."
  ),
  Options.withDefault("127.0.0.1")
)

const portOption = Options.text("port").pipe(
  Options.withPseudoName("number"),
  Options.withDescription("The port to listen on; 0 for any free one."),
  Options.withSchema(port),
  Options.withDefault(7332)
)

const token = Options.redacted("token").pipe(
  Options.withPseudoName("secret"),
  Options.withDescription(
    "The bearer token that clients must send. Other users of this machine can see command lines: prefer "
      + "MCP_LIFELINE_TOKEN or --token-file."
  ),
  Options.withFallbackConfig(Config.redacted("MCP_LIFELINE_TOKEN")),
  Options.optional
)

const stdio = Options.boolean("stdio").pipe(
  Options.withDescription(
    "Serve the host that starts this command, over standard input and output. All hosts with the same --config share one gateway, "
      + "which the first of them starts in the background. The only other option that you can combine with this is --linger."
  )
)

const linger = Options.integer("linger").pipe(
  Options.withPseudoName("seconds"),
  Options.withDescription("Stop when no client has been connected for this time. Default: never; with --stdio, 60."),
  Options.optional
)

const sessionKeyFile = Options.text("session-key-file").pipe(
  Options.withPseudoName("file"),
  Options.withDescription(
    "A file with the key for clients' sessions; replicas with the same key can serve the same clients. MCP_LIFELINE_SESSION_KEY "
      + "can contain the key itself. Default: a key in the state folder."
  ),
  Options.optional
)

const sessionKey = Config.option(Config.redacted("MCP_LIFELINE_SESSION_KEY"))

const tokenFile = Options.text("token-file").pipe(
  Options.withPseudoName("file"),
  Options.withDescription("A file that contains the bearer token. Overrides --token and MCP_LIFELINE_TOKEN."),
  Options.optional
)

const logFormat = Options.choice("log-format", ["text", "json"]).pipe(
  Options.withDescription("The format of the log: lines for people, or one JSON object on each line."),
  Options.withDefault("text" as const)
)

const serveHelp =
  "Serve all servers as one MCP endpoint over Streamable HTTP, at /mcp. SIGINT and SIGTERM stop it: calls in progress get 5 seconds, "
  + "everything that it has started is terminated, and the exit code is 0. A second signal stops it at once (130). Other exit "
  + "codes: 1 it could not start, 2 the command line is wrong."

/** A secret; an empty one (a variable that is set to nothing) is none. */
const given = (secret: Option.Option<Redacted.Redacted>): Redacted.Redacted | undefined =>
  Option.getOrUndefined(Option.filter(secret, (one) => Redacted.value(one) !== ""))

const commands = (asked: Ref.Ref<Request>) => {
  const serve = Command.make(
    "serve",
    { config, host, port: portOption, stdio, linger, token, tokenFile, logFormat, sessionKeyFile },
    (options) =>
      Effect.flatMap(Effect.orDie(sessionKey), (secret) =>
        Ref.set<Request>(asked, {
          _tag: "Serve",
          options: {
            host: options.host,
            port: options.port,
            config: Option.getOrUndefined(options.config),
            token: given(options.token),
            tokenFile: Option.getOrUndefined(options.tokenFile),
            linger: Option.getOrUndefined(options.linger),
            logFormat: options.logFormat,
            sessionKey: { file: Option.getOrUndefined(options.sessionKeyFile), secret: given(secret) }
          }
        }))
  ).pipe(Command.withDescription(serveHelp))
  return Command.make("mcp-lifeline").pipe(
    Command.withDescription(
      "Keeps MCP servers alive, and serves them as one. Two more commands have their own help: see `wrap --help` to put Lifeline in "
        + "front of one server of a host, and `adopt --help` to do this for all hosts on this machine."
    ),
    Command.withSubcommands([
      serve,
      Check.command((request) => Ref.set<Request>(asked, request)),
      ...Ask.commands((request) => Ref.set<Request>(asked, request)),
      ...SignIn.commands((request) => Ref.set<Request>(asked, request))
    ])
  )
}

/** One line of a message that may have many, with colours. */
const oneLine = (text: string): string => clean(text)

/** The options that need a value. */
const withValue: ReadonlySet<string> = new Set([
  "--config",
  "--host",
  "--port",
  "--token",
  "--session-key-file",
  "--token-file",
  "--log-format",
  "--url",
  "--server",
  "--limit",
  "--linger",
  "--account",
  "--client-id",
  "--client-issuer",
  "--client-secret",
  "--client-metadata-url",
  "--client-key-file",
  "--client-key-algorithm",
  "--scope",
  "--callback-port"
])

/** The commands in the order in which they are helped with. */
const names: ReadonlyArray<string> = [
  "serve",
  "check",
  "status",
  "top",
  "tools",
  "call",
  "logs",
  "reconnect",
  "enable",
  "disable",
  "wrap",
  "adopt",
  "login",
  "logout",
  "auth"
]

/** Why the command line was not understood; where the library names the wrong cause, the right one. */
const explain = (message: string, argv: ReadonlyArray<string>): string => {
  const valueless = /^Expected a value following option: '(.*)'/.exec(message)?.[1]
  if (valueless !== undefined) return `${valueless} needs a value`
  // What follows the `=` of an unknown option may be a secret.
  const leftover = /unknown argument: '(.*)'/.exec(message)?.[1]?.replace(/^(--?[^=]+)=.*$/, "$1")
  if (leftover !== undefined && withValue.has(leftover)) {
    return argv.filter((arg) => arg === leftover).length > 1
      ? `${leftover} appears more than once`
      : `${leftover} needs a value`
  }
  if (leftover !== undefined) return `unknown ${leftover.startsWith("-") ? "option" : "argument"} ${leftover}`
  const [, , command = ""] = argv
  if (message.startsWith("Invalid subcommand")) {
    return command.startsWith("-")
      ? `unknown option ${command}`
      : `unknown command ${command}; there are: ${names.join(", ")}`
  }
  return message
}

/** The library prints to a Console; this one holds errors back, and colours from what is no terminal. */
const console = (plain: Console.Console, colour: boolean): Console.Console => ({
  ...plain,
  error: () => Effect.void,
  log: (...args) =>
    plain.log(...args.map((arg) => typeof arg === "string" && !colour ? stripVTControlCharacters(arg) : arg))
})

/** Reads a command line, as `process.argv` has it. */
export const parse = (
  argv: ReadonlyArray<string>,
  colour: boolean
): Effect.Effect<Request, UsageError, CliApp.CliApp.Environment> =>
  Effect.gen(function*() {
    const asked = yield* Ref.make<Request>(undefined)
    const run = Command.run(commands(asked), { name: "mcp-lifeline", version, executable: "mcp-lifeline" })
    const plain = yield* Effect.console
    yield* run(argv).pipe(
      Effect.provide(CliConfig.layer({ showBuiltIns: false, isCaseSensitive: true })),
      Effect.withConsole(console(plain, colour)),
      Effect.mapError((error) =>
        error instanceof UsageError ? error : new UsageError({
          message: oneLine(
            `${
              ValidationError.isValidationError(error)
                ? explain(oneLine(HelpDoc.toAnsiText(error.error)), argv)
                : "not understood"
            }; see mcp-lifeline --help`
          )
        })
      )
    )
    return yield* Ref.get(asked)
  })
