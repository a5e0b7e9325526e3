/**
 * Noticing that nobody uses a connection.
 */
import { Effect } from "effect"
import type { Runtime } from "./Runtime.js"

/** Calls `unused` when no call has used a runtime for so many milliseconds, and again each time it stays so. (L18) */
export const watchIdle = (
  runtime: Runtime,
  idleRelease: number,
  now: () => number,
  unused: () => void
): Effect.Effect<never> =>
  Effect.forever(Effect.suspend(() => {
    const remaining = runtime.inFlight > 0 ? idleRelease : runtime.usedAt + idleRelease - now()
    if (remaining > 0) return Effect.sleep(remaining)
    unused()
    return Effect.sleep(idleRelease)
  }))
