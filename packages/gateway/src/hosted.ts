/**
 * Runs a program that a host starts and talks to over standard input and output, until the host closes them.
 */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Cause, Effect, Exit, FiberId, Layer, Logger, LogLevel, Option, type Scope } from "effect"
import type { StartError, UsageError } from "./Errors.js"
import { leave, leaveNow } from "./leave.js"
import * as StandardError from "./StandardError.js"

/** How long the program may take to stop everything that it started, in milliseconds. Then the process exits, which kills the rest. */
const exitTimeout = 2800

const exitCode = (exit: Exit.Exit<void, StartError | UsageError>): number => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return 0
  return Option.getOrUndefined(Cause.failureOption(exit.cause))?._tag === "UsageError" ? 2 : 1
}

const tell = (exit: Exit.Exit<void, StartError | UsageError>): void => {
  if (Exit.isSuccess(exit) || exitCode(exit) === 0) return
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  StandardError.line(`mcp-lifeline: ${failure?.message ?? `internal error: ${String(Cause.squash(exit.cause))}`}`)
}

const leaveInTime = (exit: Exit.Exit<void, StartError | UsageError>): void => {
  setTimeout(() => {
    tell(exit)
    leaveNow(exitCode(exit))
  }, exitTimeout).unref()
}

/** Runs the program until it ends, the host closes standard input, or a signal arrives; then the process exits. */
export const run = (
  program: Effect.Effect<void, StartError | UsageError, StateFolder.StateFolder | Scope.Scope>
): void => {
  // The main program: every other fiber belongs to its scope.
  const fiber = Effect.runFork(
    // Its scope closes after it.
    Effect.scoped(Effect.onExit(program, (exit) => Effect.sync(() => leaveInTime(exit)))).pipe(
      Effect.provide(Layer.merge(StateFolder.layer, Logger.replace(Logger.defaultLogger, StandardError.logger))),
      Logger.withMinimumLogLevel(LogLevel.Warning)
    )
  )
  fiber.addObserver((exit) => {
    const code = exitCode(exit)
    tell(exit)
    // Exits only once the output is written, or after 200 ms.
    process.stdout.write("", () => leave(code))
    setTimeout(() => leave(code), 200)
  })
  let isEnding = false
  const end = (): void => {
    if (isEnding) return
    isEnding = true
    leaveInTime(Exit.void)
    fiber.unsafeInterruptAsFork(FiberId.none)
  }
  // SIGBREAK is Ctrl+Break, on Windows only.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const) process.on(signal, end)
}
