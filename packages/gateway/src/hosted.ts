import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Cause, Effect, Exit, FiberId, Layer, Logger, LogLevel, Option, type Scope } from "effect"
import { leave, leaveNow } from "./process/leave.js"
import type { StartError, UsageError } from "./text/Errors.js"
import * as StandardError from "./text/StandardError.js"

/** In milliseconds. Then the process exits, which kills the rest. */
const exitTimeout = 2800

type End = Exit.Exit<void, StartError | UsageError>

const outcome = (end: End): readonly [code: number, why: string | undefined] => {
  if (Exit.isSuccess(end) || Cause.isInterruptedOnly(end.cause)) return [0, undefined]
  const failure = Option.getOrUndefined(Cause.failureOption(end.cause))
  const why = failure?.message ?? `internal error: ${String(Cause.squash(end.cause))}`
  return [failure?._tag === "UsageError" ? 2 : 1, why]
}

export const run = (
  program: Effect.Effect<void, StartError | UsageError, StateFolder.StateFolder | Scope.Scope>
): void => {
  let isTold = false
  const conclude = (end: End): number => {
    const [code, why] = outcome(end)
    if (why !== undefined && !isTold) StandardError.line(`mcp-lifeline: ${why}`)
    isTold ||= why !== undefined
    return code
  }
  const leaveInTime = (end: End): void => void setTimeout(() => leaveNow(conclude(end)), exitTimeout).unref()
  // Every other fiber belongs to its scope.
  const fiber = Effect.runFork(
    // Its scope closes after it.
    Effect.scoped(Effect.onExit(program, (exit) => Effect.sync(() => leaveInTime(exit)))).pipe(
      Effect.provide(Layer.merge(StateFolder.layer, Logger.replace(Logger.defaultLogger, StandardError.logger))),
      Logger.withMinimumLogLevel(LogLevel.Warning)
    )
  )
  fiber.addObserver((exit) => {
    const code = conclude(exit)
    // Only once the output is written, or after 200 ms.
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
