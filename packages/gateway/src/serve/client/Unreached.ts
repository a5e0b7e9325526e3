/**
 * A server that may have what a request names, and could not be asked for its lists.
 */
import type { Backend, CallError } from "@mcp-lifeline/core"
import { Data } from "effect"

/** Why it is not known where a name leads. */
export class Unreached extends Data.TaggedError("Unreached")<{
  readonly backend: Backend.Backend
  readonly error: CallError
}> {}
