/**
 * What others throw, or fail with, in words.
 */
import { Cause } from "effect"

/** What a value that was thrown says of itself. Never throws, whatever the value is. */
export const messageOf = (thrown: unknown): string => {
  try {
    const message: unknown = thrown instanceof Error ? thrown.message : thrown
    return message === undefined ? "it did not say why" : String(message)
  } catch {
    return "it failed with what cannot be put in words"
  }
}

/** The first line of what a cause says. Never throws. */
export const firstLineOf = (cause: Cause.Cause<unknown>): string => {
  try {
    return Cause.pretty(cause).split("\n", 1)[0] ?? ""
  } catch {
    return messageOf(undefined)
  }
}
