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
  "Show what each server of a configuration resolves to, without secrets, and what is wrong: with file, line, key and what would be "
  + "right. Nothing is started without --connect. Exit codes: 0 all is fine, 1 something is wrong, 2 the command line is wrong."

/** The command; what was asked for is handed to `ask`. */
export const command = (ask: (request: Request) => Effect.Effect<void>) =>
  Command.make("check", {
    file: Args.text({ name: "FILE" }).pipe(
      Args.withDescription(
        "An mcp.json, or another file of a host with servers in it; in TOML where its name ends in .toml."
      )
    ),
    connect: Options.boolean("connect").pipe(
      Options.withDescription("Connect to each server that is not disabled, once, and say what it is or why it failed.")
    ),
    json: Options.boolean("json").pipe(Options.withDescription("As JSON."))
  }, (options) => ask({ _tag: "Check", options })).pipe(Command.withDescription(help))
