import * as Command from "../commandLine/Command.js"
import { hosts } from "./Hosts.js"

export interface Adopt {
  /** Without it and `file`, all files that are found. */
  readonly host: string | undefined
  readonly file: string | undefined
  readonly only: ReadonlyArray<string>
  readonly undo: boolean
  readonly dryRun: boolean
  readonly yes: boolean
  readonly json: boolean
}

export interface Request {
  readonly _tag: "Adopt"
  readonly options: Adopt
}

const names = hosts.map(({ id }) => id)

export const command = Command.make({
  name: "adopt",
  summary: "Put `mcp-lifeline wrap` in front of the MCP servers in the configurations of the hosts on this machine.",
  usage: [
    ["[options]", "Every configuration it finds: yours, and those of the project in this folder."],
    ["--host NAME [options]", "Those of one host."],
    ["FILE [options]", "One file: JSON with or without comments, TOML or YAML."],
    ["--undo [...]", "Restores the files."]
  ],
  details:
    "It shows each change and asks before it writes. It keeps comments, order and indentation, and saves a copy of each file in "
    + "the state folder. Restart the host afterwards.",
  arguments: { file: Command.optional("FILE", "The file to change.") },
  options: {
    host: Command.choice(
      Object.fromEntries(names.map((name) => [name, name])),
      `Change the files of this host: ${names.join(", ")}.`,
      "NAME"
    ),
    only: Command.texts("NAME", "Change only this server, even if it is disabled."),
    undo: Command.flag("Restore the files."),
    dryRun: Command.flag("Show what would change, and change nothing."),
    yes: Command.flag("Do not ask.", "y"),
    json: Command.flag("Print one JSON document and ask nothing; change files only with --yes.")
  },
  environment: { MCP_LIFELINE_STATE: "The state folder. Default: the platform's folder for state." },
  exitCodes: {
    0: "Done, or nothing to do.",
    1: "Something failed, or nobody was asked: there was no terminal, or --json without --yes.",
    130: "Interrupted while it asked."
  },
  request: (options, { refuse }): Request => {
    if (options.file !== undefined && options.host !== undefined) {
      refuse("--host and a file cannot be combined; keep one of the two")
    }
    return { _tag: "Adopt", options }
  }
})
