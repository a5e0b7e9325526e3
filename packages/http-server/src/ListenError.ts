/**
 * The error of a listener.
 */
import { Data } from "effect"

/** The address cannot be bound. `message` is one line with the problem and the remedy; `cause` is the error of `node:http`. */
export class ListenError
  extends Data.TaggedError("ListenError")<{ readonly message: string; readonly cause?: unknown }>
{}
