/**
 * The command line of `audit`.
 */
import { resolve } from "node:path"
import * as Command from "../commandLine/Command.js"

/** A request to summarize the calls of a file. */
export interface Request {
  readonly _tag: "Audit"
  readonly options: {
    readonly file: string
    readonly json: boolean
    /** How many rows each table has at most. */
    readonly top: number
  }
}

export const command = Command.make({
  name: "audit",
  summary:
    "Summarize the calls that `serve --audit FILE` has recorded: by client, server and tool, the errors and the slowest.",
  details: "Also reads the full files that belong to it: FILE.1, FILE.2 and so on.",
  arguments: { file: Command.required("FILE", "The file that --audit names.") },
  options: {
    top: Command.withDefault(
      Command.integer("NUMBER", "How many rows each table has at most.", [1, 100_000]),
      20
    ),
    json: Command.flag("Print one JSON object, with all rows up to --top.")
  },
  exitCodes: { 0: "It has printed the summary.", 1: "The file cannot be read.", 130: "It was stopped." },
  request: ({ file, json, top }): Request => ({ _tag: "Audit", options: { file: resolve(file), json, top } })
})
