/**
 * The calls through the API that have no answer yet: a gateway that stops waits for them, and then ends them.
 */
import { Effect } from "effect"
import type { ServerResponse } from "node:http"

export interface OpenCalls {
  /** Open until its response closes. */
  readonly began: (response: ServerResponse) => void
  /** Ends when no call is open. */
  readonly drained: Effect.Effect<void>
  /** Ends when `interrupt` runs: a call that is still open then is answered with an error. */
  readonly stopped: Effect.Effect<void>
  /** Ends the open calls, and waits at most a second until their clients have the answers. */
  readonly interrupt: Effect.Effect<void>
}

export const make: Effect.Effect<OpenCalls> = Effect.gen(function*() {
  const isStopped = yield* Effect.makeLatch(false)
  const isEmpty = yield* Effect.makeLatch(true)
  let open = 0
  return {
    began: (response) => {
      open++
      isEmpty.unsafeClose()
      response.once("close", () => {
        open--
        if (open === 0) isEmpty.unsafeOpen()
      })
    },
    drained: isEmpty.await,
    stopped: isStopped.await,
    interrupt: Effect.zipRight(isStopped.open, Effect.timeoutOption(Effect.interruptible(isEmpty.await), "1 second"))
  }
})
