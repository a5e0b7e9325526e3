/**
 * The command line of `audit`.
 */
import { resolve } from "node:path"
import * as Command from "../commandLine/Command.js"

/** A request to summarize the calls of files. */
export interface Request {
  readonly _tag: "Audit"
  readonly options: {
    readonly files: ReadonlyArray<string>
    readonly json: boolean
    /** How many rows each table has at most. */
    readonly top: number
  }
}

export const command = Command.make({
  name: "audit",
  summary:
    "Summarize the calls that `serve --audit FILE` or `wrap --audit FILE` has recorded: by client, server and tool, the errors and the slowest.",
  details:
    "Also reads the full files that belong to each FILE: FILE.1, FILE.2 and so on. Lines that a full disk or a crash has cut off are counted and "
    + "left out.",
  arguments: {
    files: Command.several("FILE", "The file that --audit names. Several, as of several gateways, are added up.")
  },
  options: {
    top: Command.withDefault(
      Command.integer("NUMBER", "How many rows each table has at most.", [1, 100_000]),
      20
    ),
    json: Command.flag("Print one JSON object, with all rows up to --top. Times are in milliseconds.")
  },
  exitCodes: {
    0: "It has printed the summary.",
    1: "A file cannot be read, or is none of --audit.",
    130: "It was stopped."
  },
  request: ({ files, json, top }): Request => ({
    _tag: "Audit",
    options: { files: files.map((file) => resolve(file)), json, top }
  })
})
