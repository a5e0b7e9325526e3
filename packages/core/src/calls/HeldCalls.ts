/**
 * Calls that wait for the verdict on a connection in doubt, so that what fails meanwhile was not sent. (H4, C14)
 */
import { Effect, Option } from "effect"
import type { BackendUnavailable, CallError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import { detail, said } from "../observe/Said.js"
import type { Method, Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { BackendState } from "../state/BackendState.js"
import { type Attempt, type Call, heldUntil, waitingFor } from "./Call.js"
import { tooManyWait, unavailable } from "./CallFailure.js"
import type { ConnectionWait } from "./ConnectionWait.js"
import type { FailedRequests } from "./FailedRequests.js"

/** Holds calls of one backend, and counts them. */
export class HeldCalls {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #failures: FailedRequests
  readonly #wait: ConnectionWait
  #count = 0

  constructor(backend: BackendState, probe: Probe, failures: FailedRequests, wait: ConnectionWait) {
    this.#backend = backend
    this.#probe = probe
    this.#failures = failures
    this.#wait = wait
  }

  /** How many are held now. */
  get count(): number {
    return this.#count
  }

  /**
   * Whether a call is not to be sent: the server has left another one without an answer, and has answered nothing since. Where it was only
   * a probe that had no answer, a call that may be sent again is sent, because its answer is a verdict, too. A ping is a probe itself.
   */
  isHeld<M extends Method>(call: Call<M>, { runtime }: LiveConnection): boolean {
    const silence = this.#probe.silenceOf(runtime)
    if (silence === undefined || call.method === "ping") return false
    if (silence === "call") return true // guard: doubt-holds-all
    return !this.#failures.mayRepeat(call, runtime) // guard: silent-is-not-used
  }

  /**
   * Waits until that is settled, which the answer to any request does, and goes on with the call. Fails after three quarters of the time of
   * the call; of one without end, whose caller has a patience that nobody knows and hears nothing meanwhile, of `timeouts.request`.
   */
  hold<M extends Method>(
    call: Call<M>,
    installed: LiveConnection,
    again: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      const { runtime } = installed
      const full = tooManyWait(this.#backend, this.#count + this.#wait.waiting)
      if (full !== undefined) return Effect.fail(full)
      const begunAt = this.#backend.now()
      const isPatient = call.deadline < Number.POSITIVE_INFINITY || call.progress !== undefined
      const end = heldUntil(
        isPatient ? call : { begunAt, deadline: begunAt + this.#backend.policy.timeouts.request }
      )
      const isSettled = () => !this.#backend.isCurrent(runtime) || !this.isHeld(call, installed)
      this.#count++
      const settled = Effect.ensuring(
        waitingFor(
          call,
          "waits until the server answers a probe",
          this.#backend.before(end, runtime.until(isSettled))
        ),
        Effect.sync(() => this.#count--)
      )
      return Effect.flatMap(settled, (verdict) =>
        Option.isSome(verdict)
          ? again(call)
          : Effect.fail(this.#unsettled()))
    })
  }

  #unsettled(): BackendUnavailable {
    const reason = this.#probe.verdict?.reason
    const why = reason === undefined ? said`` : said` (${detail(reason)})`
    return unavailable(this.#backend, said`the call was not sent, because the server does not answer probes${why}`)
  }
}
