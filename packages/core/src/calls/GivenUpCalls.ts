/**
 * Calls that their callers give up, by a timeout of their own or a cancellation: they are counted, and put a silent server in doubt. A caller who
 * only goes away, and may come back for the answer, does the latter alone.
 */
import { Effect } from "effect"
import type { Probe } from "../health/Probe.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Call } from "./Call.js"

/**
 * How long a call that its caller gives up must have waited in silence, in milliseconds, to put the connection in doubt: less than any
 * timeout of a host, and longer than most changes of mind. (H9)
 */
export const silence = 2000

/** Takes the calls of one backend that their callers give up. */
export class GivenUpCalls {
  readonly #backend: BackendState
  readonly #probe: Probe

  constructor(backend: BackendState, probe: Probe) {
    this.#backend = backend
    this.#probe = probe
  }

  /**
   * A call whose request is in flight. That is no failure; but where the server has been silent meanwhile, the caller's patience has ended
   * as `timeouts.request` does, and is as good a reason to look whether the server lives. (H3, H9)
   */
  inFlight<M extends Method>(call: Call<M>, { latest }: Runtime): void {
    if (call.isGivenUp) return
    this.#count(call)
    this.doubt(call, latest)
  }

  /** A call whose request is in flight, and whose caller has stopped listening: looks whether the server lives, if that has been silent. */
  doubt<M extends Method>(call: Call<M>, { latest }: Runtime): void {
    latest.unheard(this.#backend.now(), call)
    if (this.#backend.now() - Math.max(call.heardAt, latest.answeredAt) < silence) return
    // At once: the caller's next call may come before the probe.
    this.#probe.leftUnanswered(latest)
    this.#backend.send({ _tag: "GivenUp", runtime: latest }) // guard: given-up-is-suspicion
  }

  /** What remains of a call that waits, which is counted if its caller gives it up. */
  counting<M extends Method, A, E>(call: Call<M>, rest: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      this.#backend.enter(Effect.onInterrupt(restore(rest), () => Effect.sync(() => this.#count(call))))
    )
  }

  #count<M extends Method>(call: Call<M>): void {
    const whole = call.about ?? call
    if (whole.isGivenUp) return
    call.isGivenUp = whole.isGivenUp = true
    this.#backend.counters.callsGivenUp++
  }
}
