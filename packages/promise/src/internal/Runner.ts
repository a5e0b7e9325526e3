/** A call costs one promise, and a fiber only if it has to wait. No timeout, no span, and an AbortSignal only if given. */
import type { Fiber } from "effect"
import { Effect, Exit, FiberId, FiberRef, HashSet, Logger, LogLevel, Runtime, RuntimeFlags } from "effect"
import { constVoid } from "effect/Function"
import type { LogEntry, SignalOptions } from "../Options.js"
import * as AbortListeners from "./AbortListeners.js"
import { fromCause } from "./Failure.js"

/** Without Effect's fiber metrics, which nobody sees and which cost about a microsecond a call. */
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

/** Logs go to the user's logger, or nowhere, never to the console. */
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
          // A throwing logger must not stop what it reports.
        }
      }))
    )
  )

/** Starts outside of any fiber, like the core's `start`, and passes the rest to `next`. Returns a function that cancels at any time. */
export type Start<A> = (next: (rest: Effect.Effect<A, unknown>) => void) => () => void

/** Promises reject with the facade's errors. */
export interface Runner {
  <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions): Promise<A>
}

/** Makes a fiber only for the rest. */
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
      // Reject last: the caller's next call must find everything cancelled.
      abort = () => {
        cancel()
        fiber?.unsafeInterruptAsFork(FiberId.none)
        reject(signal.reason)
      }
      AbortListeners.add(signal, abort)
    })
}

export const make = (runtime: Runtime.Runtime<never>): Runner => {
  const start = starter(runtime)
  return <A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions) =>
    start<A>((next) => {
      next(effect)
      return constVoid
    }, options)
}

/** Logs what it throws. */
export const callListener = (runtime: Runtime.Runtime<never>, listener: () => void): void => {
  try {
    listener()
  } catch (error) {
    Runtime.runFork(runtime)(Effect.logError("a listener threw", error))
  }
}

/** The effect must not wait. */
export const runSync = <A>(effect: Effect.Effect<A>): A => Effect.runSync(effect)
