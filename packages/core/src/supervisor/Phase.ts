/**
 * The lifecycle's state of one backend, with what it has under way: at most one attempt, timer or teardown, which belongs to
 * the state and ends with it.
 *
 * What is under way is its own fence. What an attempt, a timer or a teardown reports names the object that it comes from,
 * and counts only while that is the one under way. (L4)
 */
import { Effect, type Fiber, FiberId } from "effect"
import * as SafeLog from "../internal/SafeLog.js"
import * as Lifecycle from "../lifecycle/Lifecycle.js"
import type { BackendState, Slot } from "../state/BackendState.js"
import type { PendingCommand } from "../state/Command.js"
import type { Work } from "../state/Work.js"

/** Moves by the table and publishes each move; holds what is under way. */
export class Phase {
  readonly #backend: BackendState
  #work: Work | undefined
  #fiber: Fiber.RuntimeFiber<void> | undefined
  /** What the table refused last, until it is logged. */
  #refused: Lifecycle.Event | undefined

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  get state(): Lifecycle.State {
    return this.#backend.published.value.state
  }

  /** What is under way, if anything is. */
  get work(): Work | undefined {
    return this.#work
  }

  /** Asks the table, and publishes what it says together with a patch of the slot. False where the event is refused. (L2) */
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

  /** Logs what the table has refused since the last time. */
  get logRefused(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const event = this.#refused
      if (event === undefined) return Effect.void
      this.#refused = undefined
      return SafeLog.debug(`${this.#backend.id}: ${event._tag} does not apply in ${this.state._tag}`)
    })
  }

  /** Begins something, in a fiber of its own, in place of what is under way. */
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

  /** Something has come to its end by itself. False where it is not under way any more: it was ended before. */
  finish(work: Work): boolean {
    if (work !== this.#work) return false // guard: late-work
    this.#work = undefined
    this.#fiber = undefined
    return true
  }

  /** Whether what is under way will answer a command. */
  willAnswer(pending: PendingCommand): boolean {
    const work = this.#work
    if (work?._tag === "Attempt") return work.joined.includes(pending)
    return work?._tag === "Teardown" && (work.disables.includes(pending) || work.enables.includes(pending))
  }

  /** Ends what is under way and gives it, for the commands that wait for it. Interrupting is a request: see `finish`. */
  end(): Work | undefined {
    const work = this.#work
    if (work?._tag !== "Teardown") this.#fiber?.unsafeInterruptAsFork(FiberId.none)
    this.#work = undefined
    this.#fiber = undefined
    return work
  }
}
