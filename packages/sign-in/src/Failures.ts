/**
 * One class for each thing that can be done about a failure.
 */
import { PlainText } from "@mcp-lifeline/core/text"
import { Data } from "effect"

/** The network, or a server that is not ready. Never a reason to ask a person. */
export class Later extends Data.TaggedError("Later")<{ readonly detail: string; readonly cause?: unknown }> {}

/** Asking again does not help. */
export class Refused extends Data.TaggedError("Refused")<{
  /** One line: what, and what can be done. Without secrets. */
  readonly detail: string
  /** Of the authorization server, such as `invalid_grant`. */
  readonly code?: string | undefined
  /** Whether the authorization server has answered so: 4xx, or an OAuth error with any status. */
  readonly isAnswer?: boolean | undefined
}> {}

/** What a peer says, in one short line that controls no terminal. */
export const quoted = (text: string): string => {
  const line = PlainText.line(text.slice(0, 1000))
  return line.length > 160 ? `${line.slice(0, 159)}…` : line
}

/** In one line. The reason of an error of `fetch` is in its cause. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return quoted(String(error))
  const inner = error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message
  return quoted(inner === "" ? error.name : inner)
}
