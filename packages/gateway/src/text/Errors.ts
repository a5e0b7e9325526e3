import { Data } from "effect"

export { UsageError } from "../commandLine/read.js"

/** The command cannot do its work: exit code 1. `message` is one line with the problem and the remedy. */
export class StartError
  extends Data.TaggedError("StartError")<{ readonly message: string; readonly cause?: unknown }>
{}

/** Exit code 3. `message` says in one line how to start a gateway. */
export class NoGateway extends Data.TaggedError("NoGateway")<{ readonly message: string }> {}
