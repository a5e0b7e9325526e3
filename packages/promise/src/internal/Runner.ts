/**
 * Runs effects, and returns their results as promises.
 *
 * A call costs one promise, and a fiber only if something has to be waited for. It makes no timeout and no span, and uses an AbortSignal only
 * if the caller has given one.
 */
import type { Fiber } from "effect"
import { Effect, Exit, FiberId, FiberRef, HashSet, Logger, LogLevel, Runtime, RuntimeFlags } from "effect"
import { constVoid } from "effect/Function"
import type { LogEntry, SignalOptions } from "../Options.js"
import * as AbortListeners from "./AbortListeners.js"
import { fromCause } from "./Failure.js"

/** Without Effect's own metrics of fibers, which nobody sees here, and which cost about a microsecond a call. */
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

/** The runtime of one client. Its logs go to the user's logger, or nowhere, never to the console. */
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
          // A logger that throws must not stop what it reports.
        }
      }))
    )
  )

/**
 * Starts something outside of any fiber, as `start` of the core does, and passes what remains to be done to `next`. Returns a function that
 * cancels it, before or after that.
 */
export type Start<A> = (next: (rest: Effect.Effect<A, unknown>) => void) => () => void

/** Runs effects as promises, which reject with the facade's errors. */
export interface Runner {
  <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions): Promise<A>
}

/** Returns a function that makes a promise of a `Start`. It rejects with the facade's errors, and makes a fiber only for what remains to be done. */
export const starter = (runtime: Runtime.Runtime<never>) => {
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
        if (signal !== undefined && abort !== undefined) AbortListeners.remove(signal, abort)
      }
      const cancel = start((rest) => {
        if (Exit.isExit(rest)) return settle(rest as Exit.Exit<A, unknown>)
        // After `start` has returned, a transport calls this. The rest must not run on its stack.
        fiber = runFork(rest, { immediate: !hasReturned })
        fiber.addObserver(settle)
      })
      hasReturned = true
      if (signal === undefined || isOver) return
      // Reject last: the caller's next call must find everything that this one has cancelled.
      abort = () => {
        cancel()
        fiber?.unsafeInterruptAsFork(FiberId.none)
        reject(signal.reason)
      }
      AbortListeners.add(signal, abort)
    })
}

/** A runner in this runtime. */
export const make = (runtime: Runtime.Runtime<never>): Runner => {
  const start = starter(runtime)
  return <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions) =>
    start<A>((next) => {
      next(effect)
      return constVoid
    }, options)
}

/** Calls a listener of the user, and logs what it throws, so that the caller can continue. */
export const callListener = (runtime: Runtime.Runtime<never>, listener: () => void): void => {
  try {
    listener()
  } catch (error) {
    Runtime.runFork(runtime)(Effect.logError("a listener threw", error))
  }
}

/** Runs an effect that never waits. */
export const runSync = <A>(effect: Effect.Effect<A>): A => Effect.runSync(effect)
