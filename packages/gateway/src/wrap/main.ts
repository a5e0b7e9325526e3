/**
 * The program for `mcp-lifeline wrap`, which hosts start once for each server: it loads nothing that the other commands need.
 */
import { Cause, Effect, Exit, FiberId, Layer, Logger, LogLevel, Option } from "effect"
import type { StartError, UsageError } from "../Errors.js"
import * as StateFolder from "../state/StateFolder.js"
import * as Arguments from "./Arguments.js"
import * as StandardError from "./StandardError.js"
import * as Wrap from "./wrap.js"

/** Everything that was started has ended by then, in milliseconds: what has not is killed as the process exits. */
const lastResort = 2800

const exitCode = (exit: Exit.Exit<void, StartError | UsageError>): number => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return 0
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  StandardError.line(`mcp-lifeline: ${failure?.message ?? `internal error: ${String(Cause.squash(exit.cause))}`}`)
  return failure?._tag === "UsageError" ? 2 : 1
}

const program = Effect.gen(function*() {
  const wrap = yield* Effect.try({
    try: () => Arguments.read(process.argv.slice(3)),
    catch: (error) => error as UsageError
  })
  if (wrap === undefined) return void process.stdout.write(Arguments.help)
  yield* Effect.scoped(Wrap.run(wrap))
}).pipe(
  Effect.provide(Layer.merge(StateFolder.layer, Logger.replace(Logger.defaultLogger, StandardError.logger))),
  Logger.withMinimumLogLevel(LogLevel.Warning)
)

const fiber = Effect.runFork(program)
fiber.addObserver((exit) => {
  const code = exitCode(exit)
  // What was written has left before the process does.
  process.stdout.write("", () => process.exit(code))
  setTimeout(() => process.exit(code), 200)
})

let isEnding = false
const end = (): void => {
  if (isEnding) return
  isEnding = true
  setTimeout(() => process.exit(0), lastResort).unref()
  fiber.unsafeInterruptAsFork(FiberId.none)
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end)
process.stdin.on("end", () => setTimeout(() => process.exit(0), lastResort).unref())
