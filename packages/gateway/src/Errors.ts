/**
 * The errors of commands, one class for each exit code.
 */
import { Data } from "effect"

export { UsageError } from "./commandLine/read.js"

/** The command cannot do its work: exit code 1. `message` is one line with the problem and the remedy. */
export class StartError
  extends Data.TaggedError("StartError")<{ readonly message: string; readonly cause?: unknown }>
{}

/** No gateway is running: exit code 3. `message` is one line that says how to start one. */
export class NoGateway extends Data.TaggedError("NoGateway")<{ readonly message: string }> {}
