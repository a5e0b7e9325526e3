/**
 * The calls that clients of the gateway have under way: where the official SDK's callbacks enter Effect, and what shutdown
 * waits for.
 */
import type { CallError } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Cause, Effect, Exit, FiberId, FiberSet } from "effect"
import * as JsonRpcError from "./JsonRpcError.js"

/** Runs calls, and knows those that run. */
export interface Calls {
  /** Runs one; aborting the signal interrupts it. Rejects with what the client shall see. */
  readonly run: <A>(call: Effect.Effect<A, CallError>, signal: AbortSignal) => Promise<A>
  /** Logs an error of the gateway's own. */
  readonly failed: (error: unknown) => void
  /** Ends when none is under way. */
  readonly drained: Effect.Effect<void>
  /** Interrupts those under way; ends when their clients have been told. */
  readonly interrupt: Effect.Effect<void>
}

/** The calls of one gateway. Closing the scope interrupts those that are left. */
export const make: Effect.Effect<Calls, never, Scope.Scope> = Effect.gen(function*() {
  const fibers = yield* FiberSet.make<unknown, CallError>()
  const fork = yield* FiberSet.runtime(fibers)<never>()
  const log = (cause: Cause.Cause<unknown>) => void fork(Effect.logError("a request failed inside the gateway", cause))
  return {
    failed: (error) => log(Cause.die(error)),
    drained: FiberSet.awaitEmpty(fibers),
    // The SDK writes the answers in the microtasks that follow.
    interrupt: Effect.zipRight(FiberSet.clear(fibers), Effect.sleep(0)),
    run: <A>(call: Effect.Effect<A, CallError>, signal: AbortSignal) =>
      new Promise<A>((resolve, reject) => {
        const fiber = fork(call)
        const abort = () => fiber.unsafeInterruptAsFork(FiberId.none)
        if (signal.aborted) abort()
        signal.addEventListener("abort", abort, { once: true })
        fiber.addObserver((exit) => {
          signal.removeEventListener("abort", abort)
          Exit.match(exit, {
            onSuccess: resolve,
            onFailure: (cause) => {
              // The client sees nothing of it: it may hold anything.
              if (Cause.isDie(cause)) log(cause)
              reject(JsonRpcError.fromCause(cause))
            }
          })
        })
      })
  }
})
