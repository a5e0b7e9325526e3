/**
 * Waiting for a connection: within the caller's time, and only where one may come.
 */
import { Effect } from "effect"
import type { BackendUnavailable } from "../Errors.js"
import type { BackendState, Slot } from "../lifecycle/BackendState.js"
import { isPointless, type State } from "../lifecycle/Lifecycle.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import { type Call, millis } from "./Call.js"
import { busy, unavailable } from "./CallFailure.js"

/** Lets calls of one backend wait, and counts them. */
export class ConnectionWait {
  #waiting = 0
  readonly #backend: BackendState

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting
  }

  /** Waits for the next attempt of a call, within the call's time. */
  forCall<M extends Method>(
    { deadline, options }: Call<M>,
    lost?: Runtime | undefined
  ): Effect.Effect<void, BackendUnavailable> {
    const end = this.#backend.now() + millis(options?.wait, this.#backend.policy.timeouts.wait)
    return this.until(Math.min(deadline, end), lost, options?.failFast)
  }

  /**
   * Waits until there is a connection other than that of `lost`. It gives nothing but a reason to look again: the caller
   * reads the slot anew. Asks for an attempt where one can be brought forward.
   */
  until(
    deadline: number,
    lost?: Runtime | undefined,
    failFast?: boolean | undefined
  ): Effect.Effect<void, BackendUnavailable> {
    const { policy, published } = this.#backend
    const ready = (slot: Slot) => slot.current !== undefined && slot.current.runtime !== lost
    return Effect.uninterruptibleMask((restore) => {
      const slot = published.value
      if (ready(slot)) return Effect.void
      if (failFast ?? policy.calls.failFast) {
        return Effect.fail(this.#unavailable("the call was not sent, because it must not wait (failFast)"))
      }
      if (isPointless(slot.state)) return Effect.fail(this.#unavailable("the call was not sent"))
      if (this.#waiting >= policy.calls.maxWaiting) {
        return Effect.fail(busy(this.#backend.id, `${this.#waiting} calls are waiting (calls.maxWaiting)`))
      }
      this.#waiting++
      const look: Effect.Effect<void, BackendUnavailable> = Effect.suspend(() => {
        const slot = published.value
        if (ready(slot)) return Effect.void
        if (isPointless(slot.state)) return Effect.fail(this.#unavailable("the call was not sent")) // guard: waiter-learns-of-the-end
        if (this.#backend.now() >= deadline) {
          return Effect.fail(
            this.#unavailable(
              "the call was not sent, because no connection came within the time it may wait (timeouts.wait)"
            )
          )
        }
        if (acceptsDemand(slot.state)) this.#backend.demand() // guard: waiting-call-demands
        return Effect.zipRight(this.#backend.before(deadline, published.next(slot)), look)
      })
      return Effect.ensuring(restore(look), Effect.sync(() => this.#waiting--))
    })
  }

  #unavailable(why: string): BackendUnavailable {
    return unavailable(this.#backend.id, this.#backend.published.value, this.#backend.now(), why)
  }
}

/** States in which a waiting call brings the next attempt forward (R8). */
const acceptsDemand = (state: State): boolean =>
  state._tag === "Idle" || state._tag === "Reconnecting" || state._tag === "Dormant"
