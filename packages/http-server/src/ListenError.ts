import { Data } from "effect"

/** `message`: one line with the problem; `cause`: the error of Node.js. */
export class ListenError
  extends Data.TaggedError("ListenError")<{ readonly message: string; readonly cause?: unknown }>
{}
