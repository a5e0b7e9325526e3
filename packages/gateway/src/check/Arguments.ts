import * as Command from "../commandLine/Command.js"
import type * as Check from "./check.js"

export interface Request {
  readonly _tag: "Check"
  readonly options: Check.Options
}

export const command = Command.make({
  name: "check",
  summary: "Show how Lifeline reads each server of a configuration, and what is wrong.",
  details:
    "Shows no secrets. Names the file, line and key of what is wrong, and the remedy. Without --connect, this starts nothing.",
  arguments: {
    file: Command.optional(
      "FILE",
      "An mcp.json, or another configuration file of a host. A file whose name ends in .toml is TOML. Default: what serve reads, the mcp.json of this folder."
    )
  },
  options: {
    connect: Command.flag("Connect once to each server that is not disabled, and say what it is or why this failed."),
    json: Command.flag("Print JSON.")
  },
  exitCodes: { 0: "Nothing is wrong.", 1: "Something is wrong.", 130: "Interrupted." },
  request: (options): Request => ({ _tag: "Check", options })
})
