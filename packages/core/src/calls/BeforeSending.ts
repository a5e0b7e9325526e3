/**
 * What may keep a call from being sent, one thing after the other, in the step that would send it.
 */
import { Effect, Exit } from "effect"
import type { CallError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { Method, Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Attempt, Call } from "./Call.js"
import type { ConnectionWait } from "./ConnectionWait.js"
import type { FailedRequests } from "./FailedRequests.js"
import type { GivenUpCalls } from "./GivenUpCalls.js"
import { HeldCalls } from "./HeldCalls.js"
import type { QueuedCalls } from "./QueuedCalls.js"
import { SessionLoss } from "./SessionLoss.js"
import type { TaskSupport } from "./TaskSupport.js"

/** The parts of a backend that have a say. */
export interface Parts {
  readonly backend: BackendState
  readonly probe: Probe
  readonly failures: FailedRequests
  readonly givenUp: GivenUpCalls
  readonly queue: QueuedCalls
  readonly tasks: TaskSupport
  readonly wait: ConnectionWait
}

/** Looks at each call of one backend before it is sent. */
export class BeforeSending {
  /** The calls that wait for the verdict on a connection in doubt. */
  readonly held: HeldCalls
  /** What one call has to learn before any is sent on the next session. */
  readonly sessionLoss = new SessionLoss()
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
    this.held = new HeldCalls(parts.backend, parts.probe, parts.failures, parts.wait)
  }

  /**
   * What remains to be done with a call that is not to be sent on a connection now: it waits, and goes on with `again`, or has failed.
   * Nothing where it is to be sent in this very step; then it is decided whether it begins a task, and it has its place in the queue.
   */
  keeps<M extends Method>(
    call: Call<M>,
    installed: LiveConnection,
    again: Attempt
  ): Effect.Effect<Result<M>, CallError> | undefined {
    const { queue, tasks } = this.#parts
    if (this.held.isHeld(call, installed)) return this.#hold(call, installed, again)
    if (!tasks.decide(call, installed)) return this.#readTools(call, installed, again)
    const expired = this.#expired(call, installed.runtime)
    if (expired !== undefined) return Exit.fail(expired)
    if (!queue.take(call)) return this.waiting(call, queue.wait(call, again))
    return undefined
  }

  /** What remains of a call for which there is no connection. */
  connection<M extends Method>(call: Call<M>, again: Attempt): Effect.Effect<Result<M>, CallError> {
    return this.waiting(call, Effect.flatMap(this.#parts.wait.forCall(call), () => again(call)))
  }

  /** What remains of a call that waits for something: it is counted if its caller gives it up, and leaves the queue at its end. */
  waiting<M extends Method, A, E>(call: Call<M>, rest: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const { givenUp, queue } = this.#parts
    return givenUp.counting(call, queue.during(call, rest))
  }

  #hold<M extends Method>(
    call: Call<M>,
    installed: LiveConnection,
    again: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    const hold = Effect.suspend(() => {
      this.#parts.queue.away(call)
      return this.held.hold(call, installed, again)
    })
    return this.waiting(call, hold)
  }

  /** The tools say whether a call runs as a task. */
  #readTools<M extends Method>(
    call: Call<M>,
    installed: LiveConnection,
    again: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    const { givenUp, tasks } = this.#parts
    return givenUp.counting(call, Effect.flatMap(tasks.read(call, installed), () => again(call)))
  }

  /** That a session was lost, if this call is to learn of it. */
  #expired<M extends Method>({ about }: Call<M>, { generation }: Runtime): CallError | undefined {
    // A call that runs has begun before, and sends nothing that a server could run without what it had kept.
    return about === undefined ? this.sessionLoss.take(this.#parts.backend.id, generation) : undefined
  }
}
