/** None of these throws, whatever it is given. */
import { Cause, Option } from "effect"

export const messageOf = (thrown: unknown): string => {
  try {
    const message: unknown = thrown instanceof Error ? thrown.message : thrown
    return message === undefined ? "it gave no reason" : String(message)
  } catch {
    return "it failed with a value that cannot be shown as text"
  }
}

export const firstLineOf = (cause: Cause.Cause<unknown>): string => {
  try {
    return Cause.pretty(cause).split("\n", 1)[0] ?? ""
  } catch {
    return messageOf(undefined)
  }
}

export const unlessThrown = <A>(run: () => A): A | undefined => Option.getOrUndefined(Option.liftThrowable(run)())
