/**
 * Log lines that stop nothing: a user's logger that throws must not end a supervisor, a heartbeat or an attempt.
 * The failure is logged itself, as far as the logger still takes lines.
 */
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
