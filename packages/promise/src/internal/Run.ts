/**
 * Effects as promises.
 *
 * A call costs a fiber and an observer: no timeout, no span, and an AbortSignal only where the caller has one.
 */
import type { Exit } from "effect"
import { Effect, FiberId, FiberRef, HashSet, Logger, LogLevel, Runtime, RuntimeFlags } from "effect"
import type { LogEntry, SignalOptions } from "../Options.js"
import * as Aborts from "./Aborts.js"
import { fromCause } from "./Failure.js"

/** Nobody sees Effect's own metrics of fibers here, and they cost a call about a microsecond. */
const quiet = Runtime.defaultRuntime.pipe(
  Runtime.setFiberRef(FiberRef.currentLoggers, HashSet.empty()),
  Runtime.disableRuntimeFlag(RuntimeFlags.RuntimeMetrics)
)

const level = (logLevel: LogLevel.LogLevel): LogEntry["level"] =>
  LogLevel.greaterThanEqual(logLevel, LogLevel.Error)
    ? "error"
    : LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)
    ? "warn"
    : LogLevel.greaterThanEqual(logLevel, LogLevel.Info)
    ? "info"
    : "debug"

/** The runtime of one client: logs go to the user's logger or nowhere, never to the console. */
export const runtime = (logger: ((entry: LogEntry) => void) | undefined): Runtime.Runtime<never> =>
  logger === undefined ? quiet : quiet.pipe(
    Runtime.setFiberRef(
      FiberRef.currentLoggers,
      HashSet.make(Logger.make(({ annotations, date, logLevel, message }) => {
        const parts = Array.isArray(message) ? message : [message]
        try {
          logger({
            level: level(logLevel),
            message: parts.map(String).join(" "),
            at: date.getTime(),
            annotations: Object.fromEntries(annotations)
          })
        } catch {
          // A log that cannot be written must not end what it tells of.
        }
      }))
    )
  )

/** Runs effects as promises that are rejected with the facade's errors. */
export interface Run {
  <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions): Promise<A>
}

/** Runs effects in a runtime. */
export const make = (runtime: Runtime.Runtime<never>): Run => {
  const runFork = Runtime.runFork(runtime)
  return <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions): Promise<A> =>
    new Promise<A>((resolve, reject) => {
      const settle = (exit: Exit.Exit<A, unknown>): void => {
        if (exit._tag === "Success") resolve(exit.value)
        else reject(fromCause(exit.cause))
      }
      const signal = options?.signal
      if (signal === undefined) return runFork(effect).addObserver(settle)
      if (signal.aborted) return reject(signal.reason)
      const fiber = runFork(effect)
      const abort = (): void => {
        reject(signal.reason)
        fiber.unsafeInterruptAsFork(FiberId.none)
      }
      Aborts.add(signal, abort)
      fiber.addObserver((exit) => {
        Aborts.remove(signal, abort)
        settle(exit)
      })
    })
}

/** Calls what a user gave. What it throws is logged: it must not stop what else is to be done. */
export const guard = (runtime: Runtime.Runtime<never>, listener: () => void): void => {
  try {
    listener()
  } catch (error) {
    Runtime.runFork(runtime)(Effect.logError("a listener threw", error))
  }
}

/** The value of an effect that never waits. */
export const now = <A>(effect: Effect.Effect<A>): A => Effect.runSync(effect)
