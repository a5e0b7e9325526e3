/**
 * Effects as promises.
 *
 * A call costs a promise and, only where something has to be waited for, a fiber: no timeout, no span, and an AbortSignal only where
 * the caller has one.
 */
import type { Fiber } from "effect"
import { Effect, Exit, FiberId, FiberRef, HashSet, Logger, LogLevel, Runtime, RuntimeFlags } from "effect"
import { constVoid } from "effect/Function"
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

/** Starts something outside of any fiber, as `start` of the core does, and returns what cancels it, before and after `next`. */
export type Start<A> = (next: (rest: Effect.Effect<A, unknown>) => void) => () => void

/** Runs effects as promises that are rejected with the facade's errors. */
export interface Run {
  <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions): Promise<A>
}

/** Makes promises of what is started, which are rejected with the facade's errors. A fiber is made only for what remains to be done. */
export const starting = (runtime: Runtime.Runtime<never>) => {
  const runFork = Runtime.runFork(runtime)
  return <A>(start: Start<A>, options: SignalOptions | undefined): Promise<A> =>
    new Promise<A>((resolve, reject) => {
      const signal = options?.signal
      if (signal?.aborted === true) return reject(signal.reason)
      let hasReturned = false
      let isOver = false
      let fiber: Fiber.RuntimeFiber<A, unknown> | undefined
      let abort: (() => void) | undefined
      const settle = (exit: Exit.Exit<A, unknown>): void => {
        isOver = true
        if (exit._tag === "Success") resolve(exit.value)
        else reject(fromCause(exit.cause))
        if (signal !== undefined && abort !== undefined) Aborts.remove(signal, abort)
      }
      const cancel = start((rest) => {
        if (Exit.isExit(rest)) return settle(rest as Exit.Exit<A, unknown>)
        // Later, it is a transport that calls: what remains is not done on its stack.
        fiber = runFork(rest, { immediate: !hasReturned })
        fiber.addObserver(settle)
      })
      hasReturned = true
      if (signal === undefined || isOver) return
      // The caller learns of it last: its next call finds what this one has left behind.
      abort = () => {
        cancel()
        fiber?.unsafeInterruptAsFork(FiberId.none)
        reject(signal.reason)
      }
      Aborts.add(signal, abort)
    })
}

/** Runs effects in a runtime. */
export const make = (runtime: Runtime.Runtime<never>): Run => {
  const started = starting(runtime)
  return <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions) =>
    started<A>((next) => {
      next(effect)
      return constVoid
    }, options)
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
