/**
 * Waiting for a connection: within the caller's time, and only where one may come.
 */
import { type Clock, Effect } from "effect"
import type { BackendUnavailable } from "../Errors.js"
import type { StateRef } from "../internal/StateRef.js"
import type { Slot } from "../lifecycle/BackendState.js"
import { isPointless, type State } from "../lifecycle/Lifecycle.js"
import type { Policy } from "../options/Policy.js"
import type { Runtime } from "../runtime/Runtime.js"
import { busy, unavailable } from "./CallFailure.js"

/** What waiting needs of the backend. */
export interface Host {
  readonly id: string
  readonly policy: Policy
  readonly published: StateRef<Slot>
  readonly clock: Clock.Clock
  /** Asks for an attempt: a call is waiting. */
  readonly demand: () => void
}

/** Lets calls of one backend wait, and counts them. */
export class ConnectionWait {
  #waiting = 0
  readonly #host: Host

  constructor(host: Host) {
    this.#host = host
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting
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
    const { published, policy } = this.#host
    const ready = (slot: Slot) => slot.current !== undefined && slot.current.runtime !== lost
    return Effect.uninterruptibleMask((restore) => {
      const slot = published.value
      if (ready(slot)) return Effect.void
      if (failFast ?? policy.calls.failFast) {
        return Effect.fail(this.#unavailable("the call was not sent, since it was not to wait (failFast)"))
      }
      if (isPointless(slot.state)) return Effect.fail(this.#unavailable("the call was not sent"))
      if (this.#waiting >= policy.calls.maxWaiting) {
        return Effect.fail(busy(this.#host.id, `${this.#waiting} calls are waiting (calls.maxWaiting)`))
      }
      this.#waiting++
      const look: Effect.Effect<void, BackendUnavailable> = Effect.suspend(() => {
        const slot = published.value
        if (ready(slot)) return Effect.void
        if (isPointless(slot.state)) return Effect.fail(this.#unavailable("the call was not sent")) // guard: waiter-learns-of-the-end
        const remaining = deadline - this.#host.clock.unsafeCurrentTimeMillis()
        if (remaining <= 0) {
          return Effect.fail(
            this.#unavailable("the call was not sent, since no connection came in time (timeouts.wait)")
          )
        }
        if (acceptsDemand(slot.state)) this.#host.demand() // guard: waiting-call-demands
        return Effect.zipRight(Effect.timeoutOption(published.next(slot), remaining), look)
      })
      return Effect.ensuring(restore(look), Effect.sync(() => this.#waiting--))
    })
  }

  #unavailable(why: string): BackendUnavailable {
    const { clock, id, published } = this.#host
    return unavailable(id, published.value, clock.unsafeCurrentTimeMillis(), why)
  }
}

/** States in which a waiting call brings the next attempt forward (R8). */
const acceptsDemand = (state: State): boolean =>
  state._tag === "Idle" || state._tag === "Reconnecting" || state._tag === "Dormant"
