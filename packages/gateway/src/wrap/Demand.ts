/** Has the server connected because the host needs it, where it would not connect by itself, or not soon. */
import type { Backend, Status } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { Effect, Schedule } from "effect"

/** Until it is interrupted, because no attempt is made soon after a failure. */
export const repeated = (backend: Backend.Backend): Effect.Effect<never> =>
  Effect.zipRight(Effect.ignore(Effect.retry(backend.ping(), Schedule.spaced("100 millis"))), Effect.never)

export const connectIdle = (backend: Backend.Backend) =>
  Effect.flatMap(backend.status, ({ state }) => state === "Idle" ? backend.enable : Effect.void)

/** In milliseconds. */
const interval = 1000

/** Only a command ends these if `reconnect.auto` is false. */
const resting: ReadonlySet<Status["state"]> = new Set(["Disconnected", "PermanentlyFailed"])

/** If `reconnect.auto` is false, only a command connects the server: each request of the host gives one. */
export class RequestedAttempts {
  /** In the time of `performance.now`. */
  #notBefore = Number.NEGATIVE_INFINITY

  /** `undefined` if none is due. */
  next(backend: Backend.Backend): Backend.Backend["enable"] | undefined {
    const now = performance.now()
    if (now < this.#notBefore || !resting.has(Handle.stateOf(backend))) return undefined
    this.#notBefore = now + interval
    return Effect.tapError(backend.enable, (error) =>
      Effect.sync(() => {
        const retryAfter = error._tag === "ConnectError" ? error.retryAfter ?? 0 : 0
        this.#notBefore = performance.now() + Math.max(interval, retryAfter)
      }))
  }
}
