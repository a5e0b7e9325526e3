import { Effect, Option } from "effect"
import type { BackendUnavailable } from "../Errors.js"
import { entries, isPointless } from "../lifecycle/Lifecycle.js"
import { type Said, said } from "../observe/Said.js"
import * as Policy from "../options/Policy.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Slot } from "../state/Slot.js"
import { type Call, heldUntil, millis, waitingFor } from "./Call.js"
import { busy, unavailable } from "./CallFailure.js"
import type { QueuedCalls } from "./QueuedCalls.js"

/** On the Clock's scale; `begunAt` and `deadline` are of the whole call. */
export interface Time {
  readonly begunAt: number
  readonly deadline: number
  readonly end: number
  readonly isChosen: boolean
}

export class Waiting {
  /** For a connection, in milliseconds. */
  readonly #connections = new Set<{ readonly millis: number }>()
  #verdicts = 0
  #turns = 0
  onAwaited: (() => void) | undefined
  readonly #backend: BackendState
  readonly #queue: QueuedCalls

  constructor(backend: BackendState, queue: QueuedCalls) {
    this.#backend = backend
    this.#queue = queue
  }

  get forConnections(): number {
    return this.#connections.size
  }

  get unsent(): number {
    return this.#connections.size + this.#verdicts
  }

  get isAwaited(): boolean {
    return this.unsent > 0
  }

  get forTurns(): number {
    return this.#turns
  }

  /** In milliseconds, of those in which an attempt can be made. */
  get shortest(): number {
    const { demandInterval } = this.#backend.policy.reconnect
    let shortest = Number.POSITIVE_INFINITY
    for (const { millis } of this.#connections) if (millis >= demandInterval) shortest = Math.min(millis, shortest)
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

  /** For a connection other than `lost`, or a successor. Then the caller reads the slot anew. */
  until(
    time: Time,
    lost?: Runtime | undefined,
    failFast?: boolean | undefined
  ): Effect.Effect<void, BackendUnavailable> {
    const { policy, published } = this.#backend
    const ready = ({ current, hasSuccessor }: Slot) => current === undefined ? hasSuccessor : current !== lost
    return Effect.suspend(() => {
      const slot = published.value
      if (ready(slot)) return Effect.void
      if (failFast ?? policy.calls.failFast) {
        if (entries[slot.state._tag].demand === "connects") this.#backend.demand()
        return Effect.fail(unavailable(this.#backend, said`the call was not sent, because it must not wait (failFast)`))
      }
      if (isPointless(slot.state)) return Effect.fail(this.#pointless(slot))
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
        const { state } = slot
        const isNew = (slot: Slot) => slot.state !== state || ready(slot)
        return Effect.zipRight(this.#backend.before(until, published.until(isNew)), look)
      })
      // What was in flight comes first: the same loss wakes the others.
      return this.#among(() => this.#connections.size, look, () => {
        const waiting = { millis: Math.min(time.deadline, time.end) - this.#backend.now() }
        this.#connections.add(waiting)
        return () => this.#connections.delete(waiting)
      })
    })
  }

  /** Nobody knows how long the caller of a call without end waits. */
  patience<M extends Method>({ deadline }: Call<M>, otherwise: number, begunAt = this.#backend.now()): number {
    if (deadline < Number.POSITIVE_INFINITY) return otherwise
    return heldUntil({ begunAt, deadline: begunAt + this.#backend.policy.timeouts.request })
  }

  /** Any answer settles it: what fails meanwhile was not sent. (H4, C14) */
  forVerdict<M extends Method>(
    call: Call<M>,
    isSettled: Effect.Effect<void>,
    late: () => Said
  ): Effect.Effect<void, BackendUnavailable> {
    return Effect.suspend(() => {
      this.#queue.away(call)
      // With progress, the caller hears what it waits for.
      const end = call.progress === undefined ? this.patience(call, heldUntil(call)) : heldUntil(call)
      const settled = waitingFor(call, "waits until the server answers a probe", isSettled)
      return this.#among(() => this.unsent, this.#within(end, settled, late), () => {
        this.#verdicts++
        return () => this.#verdicts--
      })
    })
  }

  /** Whoever interrupts that has the call leave the queue. */
  forTurn<M extends Method>(call: Call<M>): Effect.Effect<void, BackendUnavailable> {
    const come = waitingFor(call, "waits for its turn", this.#queue.comes(call))
    const turn = this.#within(call.deadline, come, () => {
      const limit = this.#queue.isItsTurn(call) ? said`calls.maxInFlight` : said`calls.concurrency`
      return said`the call was not sent, because its time was over before its turn came (timeout, ${limit})`
    })
    return this.#among(() => this.unsent + this.#turns, turn, () => {
      this.#turns++
      return () => this.#turns--
    })
  }

  #within(end: number, wait: Effect.Effect<void>, late: () => Said): Effect.Effect<void, BackendUnavailable> {
    return Effect.flatMap(
      this.#backend.before(end, wait),
      (come) => Option.isSome(come) ? Effect.void : Effect.fail(unavailable(this.#backend, late()))
    )
  }

  /** Counted in the step that looks, so that others find it. */
  #among<E>(
    others: () => number,
    wait: Effect.Effect<void, E>,
    enter: () => () => void
  ): Effect.Effect<void, E | BackendUnavailable> {
    return Effect.uninterruptibleMask((restore): Effect.Effect<void, E | BackendUnavailable> => {
      const { id, policy: { calls } } = this.#backend
      const waiting = others()
      if (waiting >= calls.maxWaiting) {
        return Effect.fail(busy(id, said`${waiting} calls are waiting (calls.maxWaiting)`))
      }
      const leave = Effect.sync(enter())
      this.onAwaited?.()
      return Effect.ensuring(restore(wait), leave)
    })
  }

  /** The server may be downloading itself. A chosen time to wait counts all the same. */
  #isFirstStart({ generation, lastError, starting, state }: Slot, { isChosen }: Time): boolean {
    const isDefault = this.#backend.policy.timeouts.wait === Policy.defaults.timeouts.wait
    const isFirstAttempt = lastError === undefined && state._tag === "Connecting"
    const goesOn = isFirstAttempt || starting?.outlives === true
    return generation === 0 && goesOn && isDefault && !isChosen
  }

  /** After an attempt that failed for good the call asks for another, which keeps its pace. (R13) */
  #pointless({ demandableFrom }: Slot): BackendUnavailable {
    const error = unavailable(this.#backend, said`the call was not sent`)
    if (demandableFrom !== undefined) this.#backend.demand() // guard: permanent-failure-is-demanded
    return error
  }
}
