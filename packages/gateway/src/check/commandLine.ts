/**
 * `check` on the command line: what was asked for, as data.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type { Effect } from "effect"
import type * as Check from "./check.js"

/** What was asked for. */
export interface Request {
  readonly _tag: "Check"
  readonly options: Check.Options
}

const help =
  "Show how Lifeline reads each server of a configuration, without secrets, and what is wrong: with file, line, key and remedy. "
  + "Without --connect, this starts nothing. Exit codes: 0 nothing is wrong, 1 something is wrong, 2 the command line is wrong."

/** The command; what was asked for is handed to `ask`. */
export const command = (ask: (request: Request) => Effect.Effect<void>) =>
  Command.make("check", {
    file: Args.text({ name: "FILE" }).pipe(
      Args.withDescription(
        "An mcp.json, or another configuration file of a host. A file whose name ends in .toml is TOML."
      )
    ),
    connect: Options.boolean("connect").pipe(
      Options.withDescription(
        "Connect once to each server that is not disabled, and say what it is or why this failed."
      )
    ),
    json: Options.boolean("json").pipe(Options.withDescription("Print JSON."))
  }, (options) => ask({ _tag: "Check", options })).pipe(Command.withDescription(help))
