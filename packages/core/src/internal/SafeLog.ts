/** A user's logger that throws stops nothing. */
import { type Cause, Effect } from "effect"

export const safely = (line: Effect.Effect<void>): Effect.Effect<void> => {
  return Effect.catchAllCause(line, logLoss) // guard: logger-throws
}

const logLoss = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.catchAllCause(
    Effect.logError("A logger threw, and its line is lost. A logger must not throw.", cause),
    () => Effect.void
  )

export const debug = (message: string): Effect.Effect<void> => safely(Effect.logDebug(message))

export const info = (message: string): Effect.Effect<void> => safely(Effect.logInfo(message))

export const warning = (message: string): Effect.Effect<void> => safely(Effect.logWarning(message))

export const error = (message: string, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  safely(Effect.logError(message, cause))

/** Logs what is wrong once; again only if it was right in between. */
export const newWarnings = <A>(
  backend: string,
  keyOf: (one: A) => string,
  describe: (all: ReadonlyArray<A>) => string
): (all: ReadonlyArray<A>) => Effect.Effect<void> => {
  let known = none
  return (all) => {
    const found = all.filter((one) => !known.has(keyOf(one)))
    known = all.length === 0 ? none : new Set(all.map(keyOf))
    return found.length === 0 ? Effect.void : warning(`${backend}: ${describe(found)}`)
  }
}

const none: ReadonlySet<string> = new Set()
