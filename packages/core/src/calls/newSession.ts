/**
 * Requests on one connection that is not installed yet, so that nothing is waited for, sent again or probed. (C11)
 */
import { Cause, Effect } from "effect"
import { requestErrorOf } from "../Errors.js"
import type { Session } from "../options/Session.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import * as Call from "./Call.js"
import type { FailedRequests } from "./FailedRequests.js"

/** What `onConnected` is given. `requestTimeout`: where a request names none, in milliseconds. */
export const newSession = (
  { connection, runtime }: LiveConnection,
  requestTimeout: number,
  failures: FailedRequests
): Session => ({
  generation: runtime.generation,
  request: (method, params, options) => {
    const timeout = Call.millis(options?.timeout, requestTimeout)
    return Effect.catchAllCause(
      Effect.suspend(() => connection.request(method, params, { ...options, timeout, maxTotalTimeout: undefined })),
      (cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.interrupt
          : failures.fail(requestErrorOf(cause), method, runtime, timeout)
    )
  }
})
