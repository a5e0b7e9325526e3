/**
 * The commands that ask a running gateway, on the command line: what was asked for, as data.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Option, Schema } from "effect"
import type { Effect } from "effect"

/** Which of several running gateways is meant. */
export interface Choice {
  readonly url: string | undefined
  readonly config: string | undefined
}

/** What is asked of it. */
export type Asked =
  | { readonly _tag: "Status"; readonly name: string | undefined; readonly json: boolean }
  | { readonly _tag: "Top" }
  | { readonly _tag: "Tools"; readonly name: string | undefined; readonly json: boolean }
  /** `given`: the arguments as JSON, or `-` for standard input. */
  | { readonly _tag: "Call"; readonly name: string; readonly given: string | undefined; readonly json: boolean }
  | {
    readonly _tag: "Logs"
    readonly server: string | undefined
    readonly limit: number
    readonly follow: boolean
    readonly json: boolean
  }
  | {
    readonly _tag: "Act"
    readonly action: "reconnect" | "enable" | "disable"
    readonly server: string
    readonly json: boolean
  }

/** What was asked for. */
export interface Request {
  readonly _tag: "Ask"
  readonly choice: Choice
  readonly asked: Asked
}

const optionalText = (name: string, placeholder: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName(placeholder), Options.withDescription(description), Options.optional)

const choice = {
  url: optionalText(
    "url",
    "url",
    "The address of the gateway. If another user has started it, give its token in MCP_LIFELINE_TOKEN."
  ),
  config: optionalText("config", "file", "The gateway that serves this file.")
}

const json = Options.boolean("json").pipe(Options.withDescription("Print JSON."))

/** The library takes an option that stands alone for an argument. */
const noOption = Schema.String.pipe(Schema.filter((text) => !text.startsWith("-") || `unknown argument: '${text}'`))

const name = (placeholder: string, description: string) =>
  Args.text({ name: placeholder }).pipe(Args.withDescription(description), Args.withSchema(noOption))

const serverName = name("NAME", "The name of a server.")

const limit = Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, 500)).annotations({
  message: () => ({ message: "--limit must be a whole number from 1 to 500", override: true })
})

const codes = " Exit codes: 0 done, 1 failed, 2 the command line is wrong, 3 no gateway runs."

/** The commands; what was asked for is handed to `ask`. */
export const commands = (ask: (request: Request) => Effect.Effect<void>) => {
  const asking = (
    given: { readonly url: Option.Option<string>; readonly config: Option.Option<string> },
    asked: Asked
  ) =>
    ask({
      _tag: "Ask",
      choice: { url: Option.getOrUndefined(given.url), config: Option.getOrUndefined(given.config) },
      asked
    })
  const act = (action: "reconnect" | "enable" | "disable", help: string) =>
    Command.make(
      action,
      { server: serverName, ...choice, json },
      ({ json, server, ...given }) => asking(given, { _tag: "Act", action, server, json })
    ).pipe(Command.withDescription(`${help}${codes}`))
  return [
    Command.make(
      "status",
      {
        name: Args.optional(
          name("NAME", "A server, for it alone: with the runtime of each client, where each has its own.")
        ),
        ...choice,
        json
      },
      ({ json, name, ...given }) => asking(given, { _tag: "Status", name: Option.getOrUndefined(name), json })
    ).pipe(
      Command.withDescription(
        `Show the servers of the running gateway: state, tools, calls, and what is wrong.${codes}`
      )
    ),
    Command.make("top", choice, (given) => asking(given, { _tag: "Top" })).pipe(
      Command.withDescription(`Show the same live, until q or Ctrl+C.${codes}`)
    ),
    Command.make(
      "tools",
      {
        name: Args.optional(name("NAME", "A server, to list only its tools; or a tool, to show everything about it.")),
        ...choice,
        json
      },
      ({ json, name, ...given }) => asking(given, { _tag: "Tools", name: Option.getOrUndefined(name), json })
    ).pipe(Command.withDescription(`List the tools that the running gateway offers.${codes}`)),
    Command.make(
      "call",
      {
        name: name("TOOL", "The tool, as `tools` lists it."),
        given: Args.text({ name: "JSON" }).pipe(
          Args.withDescription("Its arguments as a JSON object, or - to read them from standard input. Default: none."),
          Args.optional
        ),
        ...choice,
        json
      },
      ({ given, json, name, ...chosen }) =>
        asking(chosen, { _tag: "Call", name, given: Option.getOrUndefined(given), json })
    ).pipe(
      Command.withDescription(`Call a tool and print its result. If the result is an error, the command fails.${codes}`)
    ),
    Command.make(
      "logs",
      {
        server: optionalText("server", "name", "Show only the lines of this server."),
        limit: Options.text("limit").pipe(
          Options.withPseudoName("number"),
          Options.withDescription("How many lines at most. The gateway keeps the last 500."),
          Options.withSchema(limit),
          Options.withDefault(100)
        ),
        follow: Options.boolean("follow").pipe(Options.withDescription("Keep printing new lines, until Ctrl+C.")),
        ...choice,
        json: Options.boolean("json").pipe(Options.withDescription("Print one JSON object on each line."))
      },
      ({ follow, json, limit, server, ...given }) =>
        asking(given, { _tag: "Logs", server: Option.getOrUndefined(server), limit, follow, json })
    ).pipe(
      Command.withDescription(`Show what has happened to the servers of the running gateway.${codes}`)
    ),
    act("reconnect", "Reconnect a server, or that of each client, and wait until it is connected."),
    act("enable", "Enable a server for all clients, and wait until it is connected."),
    act("disable", "Disable a server for all clients, until you enable it or the gateway restarts.")
  ] as const
}
