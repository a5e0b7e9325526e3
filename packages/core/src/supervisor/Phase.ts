/** At most one attempt, timer or teardown is under way: a report of another one does not count. (L4) */
import { Effect, type Fiber, FiberId } from "effect"
import * as SafeLog from "../internal/SafeLog.js"
import * as Lifecycle from "../lifecycle/Lifecycle.js"
import type { BackendState, Slot } from "../state/BackendState.js"
import type { PendingCommand, Work } from "../state/Message.js"

export class Phase {
  readonly #backend: BackendState
  #work: Work | undefined
  #fiber: Fiber.RuntimeFiber<void> | undefined
  #refused: Lifecycle.Event | undefined

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  get state(): Lifecycle.State {
    return this.#backend.published.value.state
  }

  get work(): Work | undefined {
    return this.#work
  }

  /** False where the table refuses. (L2) */
  move(event: Lifecycle.Event, patch: Partial<Slot> = {}): boolean {
    const slot = this.#backend.published.value
    const transition = Lifecycle.transition(slot.state, event)
    if (transition._tag === "Refused") {
      this.#refused = event
      return false
    }
    const { state } = transition
    this.#backend.publish({
      state,
      current: state._tag === "Connected" ? slot.current : undefined,
      nextAttemptAt: undefined,
      demandableFrom: undefined,
      ...patch
    })
    return true
  }

  get logRefused(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const event = this.#refused
      if (event === undefined) return Effect.void
      this.#refused = undefined
      return SafeLog.debug(`${this.#backend.id}: ${event._tag} does not apply in ${this.state._tag}`)
    })
  }

  begin(work: Work, run: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.end()
      this.#work = work
      return Effect.map(Effect.fork(Effect.interruptible(run)), (fiber) => {
        // The backend may have closed since.
        if (this.#work === work) this.#fiber = fiber
        else fiber.unsafeInterruptAsFork(FiberId.none)
      })
    })
  }

  finish(work: Work): boolean {
    if (work !== this.#work) return false // guard: late-work
    this.#work = undefined
    this.#fiber = undefined
    return true
  }

  willAnswer(pending: PendingCommand): boolean {
    const work = this.#work
    if (work?._tag === "Attempt") return work.joined.includes(pending)
    return work?._tag === "Teardown" && (work.disables.includes(pending) || work.enables.includes(pending))
  }

  /** Interrupting is a request: see `finish`. */
  end(): Work | undefined {
    const work = this.#work
    if (work?._tag !== "Teardown") this.#fiber?.unsafeInterruptAsFork(FiberId.none)
    this.#work = undefined
    this.#fiber = undefined
    return work
  }
}
