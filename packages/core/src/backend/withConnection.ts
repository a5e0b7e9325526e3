import { Effect } from "effect"
import { millis } from "../calls/Call.js"
import type { Calls } from "../calls/Calls.js"
import { isLost } from "../calls/decide.js"
import { fail } from "../calls/FailedRequests.js"
import * as Waiting from "../calls/Waiting.js"
import type { CallError, RequestError } from "../Errors.js"
import type { CallOptions } from "../options/CallOptions.js"
import { isRead } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"

export type Onward<A> = (options: CallOptions) => Effect.Effect<A, CallError>

/** On the next connection where one was lost, if it did not happen or may happen twice. Of `options`, those about waiting count. */
export const withConnection = <A>(
  backend: BackendState,
  calls: Calls,
  use: (runtime: Runtime) => Effect.Effect<A, RequestError>,
  method: string,
  options: CallOptions | undefined,
  onward: Onward<A>
): Effect.Effect<A, CallError> =>
  Effect.suspend(() => {
    const { request, wait: usual } = backend.policy.timeouts
    const wait = millis(options?.wait, usual)
    const begunAt = backend.now()
    const deadline = begunAt + Math.max(request, wait)
    let waitEnd = begunAt + wait
    const on = (lost: Runtime | undefined): Effect.Effect<A, CallError> =>
      Effect.suspend(() => {
        const { current: runtime, hasSuccessor } = backend.published.value
        if (runtime === undefined && hasSuccessor) {
          return onward({ ...options, wait: Math.max(0, waitEnd - backend.now()) })
        }
        if (runtime === undefined || runtime === lost) {
          return Effect.zipRight(
            Waiting.until(
              calls,
              { begunAt, deadline, end: waitEnd, isChosen: options?.wait !== undefined },
              lost,
              options?.failFast
            ),
            on(undefined)
          )
        }
        waitEnd = backend.now() + wait
        return Effect.catchAll(use(runtime), (error) => {
          const harmless = error.fate !== "unknown" || isRead(method)
          return isLost(error) && harmless && backend.now() < deadline
            ? on(runtime)
            : fail(calls, error, method, runtime, request)
        })
      })
    return on(undefined)
  })
