/** Waiting for a connection: within the caller's time, and only where one may come. */
import { Effect } from "effect"
import type { BackendUnavailable } from "../Errors.js"
import { entries, isPointless } from "../lifecycle/Lifecycle.js"
import { said } from "../observe/Said.js"
import * as Policy from "../options/Policy.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState, Slot } from "../state/BackendState.js"
import { type Call, heldUntil, millis } from "./Call.js"
import { tooManyWait, unavailable } from "./CallFailure.js"
import type { QueuedCalls } from "./QueuedCalls.js"

/** On the Clock's scale; `begunAt` and `deadline` are those of the whole call. */
export interface Time {
  readonly begunAt: number
  readonly deadline: number
  readonly end: number
  readonly isChosen: boolean
}

export class ConnectionWait {
  readonly #waits = new Set<{ readonly millis: number }>()
  readonly #backend: BackendState
  readonly #queue: QueuedCalls

  constructor(backend: BackendState, queue: QueuedCalls) {
    this.#backend = backend
    this.#queue = queue
  }

  get waiting(): number {
    return this.#waits.size
  }

  /** The shortest wait, in milliseconds, in which an attempt can be made. */
  get shortest(): number {
    const { demandInterval } = this.#backend.policy.reconnect
    let shortest = Number.POSITIVE_INFINITY
    for (const { millis } of this.#waits) if (millis >= demandInterval) shortest = Math.min(millis, shortest)
    return shortest
  }

  forCall<M extends Method>(call: Call<M>, lost?: Runtime | undefined): Effect.Effect<void, BackendUnavailable> {
    return Effect.suspend(() => {
      const { begunAt, deadline, options } = call
      const end = call.waitEnd ??= this.#backend.now() + millis(options?.wait, this.#backend.policy.timeouts.wait)
      const { current } = this.#backend.published.value
      if (current === undefined || current === lost) this.#queue.away(call)
      return this.until({ begunAt, deadline, end, isChosen: options?.wait !== undefined }, lost, options?.failFast)
    })
  }

  /** For a connection other than `lost`, or none and a successor. Only a reason to look again: the caller reads the slot anew. */
  until(
    time: Time,
    lost?: Runtime | undefined,
    failFast?: boolean | undefined
  ): Effect.Effect<void, BackendUnavailable> {
    const { policy, published } = this.#backend
    const ready = ({ current, hasSuccessor }: Slot) => current === undefined ? hasSuccessor : current !== lost
    return Effect.uninterruptibleMask((restore) => {
      const slot = published.value
      if (ready(slot)) return Effect.void
      if (failFast ?? policy.calls.failFast) {
        return Effect.fail(unavailable(this.#backend, said`the call was not sent, because it must not wait (failFast)`))
      }
      if (isPointless(slot.state)) return Effect.fail(this.#pointless(slot))
      const full = tooManyWait(this.#backend, this.#waits.size)
      if (full !== undefined) return Effect.fail(full)
      const waiting = { millis: Math.min(time.deadline, time.end) - this.#backend.now() }
      this.#waits.add(waiting)
      const look: Effect.Effect<void, BackendUnavailable> = Effect.suspend(() => {
        const slot = published.value
        if (ready(slot)) return Effect.void
        if (isPointless(slot.state)) return Effect.fail(this.#pointless(slot)) // guard: waiter-learns-of-the-end
        const end = this.#isFirstStart(slot, time) ? Math.max(time.end, heldUntil(time)) : time.end
        const until = Math.min(time.deadline, end)
        if (this.#backend.now() >= until) {
          return Effect.fail(
            unavailable(
              this.#backend,
              said`the call was not sent, because no connection came within the time it may wait (timeouts.wait)`
            )
          )
        }
        if (entries[slot.state._tag].demand !== "waits") this.#backend.demand() // guard: waiting-call-demands
        return Effect.zipRight(this.#backend.before(until, published.next(slot)), look)
      })
      return Effect.ensuring(restore(look), Effect.sync(() => this.#waits.delete(waiting)))
    })
  }

  /** The server may be downloading itself. A time to wait that the caller or the policy has chosen counts all the same. */
  #isFirstStart({ generation, lastError, state }: Slot, { isChosen }: Time): boolean {
    const isDefault = this.#backend.policy.timeouts.wait === Policy.defaults.timeouts.wait
    const isFirstAttempt = lastError === undefined && state._tag === "Connecting"
    const goesOn = isFirstAttempt || this.#backend.startingSince !== undefined
    return generation === 0 && goesOn && isDefault && !isChosen
  }

  /** After an attempt that failed for good the call asks for another one, which keeps its pace. (R13) */
  #pointless({ demandableFrom }: Slot): BackendUnavailable {
    const error = unavailable(this.#backend, said`the call was not sent`)
    if (demandableFrom !== undefined) this.#backend.demand() // guard: permanent-failure-is-demanded
    return error
  }
}
