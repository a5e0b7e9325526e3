/**
 * Log lines that stop nobody: loggers are given to us by others, and one that throws must not end a supervisor, a heartbeat
 * or an attempt. Such a failure is logged itself, as far as the logger still takes lines.
 */
import { type Cause, Effect } from "effect"

/** The same line, which never fails. */
export const safely = (line: Effect.Effect<void>): Effect.Effect<void> => {
  return Effect.catchAllCause(line, logLoss) // guard: logger-throws
}

const logLoss = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.catchAllCause(
    Effect.logError("A logger threw, and its line is lost. A logger must not throw.", cause),
    () => Effect.void
  )

/** Logs at debug. Never fails. */
export const debug = (message: string): Effect.Effect<void> => safely(Effect.logDebug(message))

/** Logs at info. Never fails. */
export const info = (message: string): Effect.Effect<void> => safely(Effect.logInfo(message))

/** Logs a warning. Never fails. */
export const warning = (message: string): Effect.Effect<void> => safely(Effect.logWarning(message))

/** Logs an error with its cause. Never fails. */
export const error = (message: string, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  safely(Effect.logError(message, cause))
