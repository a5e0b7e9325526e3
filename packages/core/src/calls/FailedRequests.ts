import { Effect, Option } from "effect"
import { constant } from "effect/Function"
import { type CallError, isGone, isObjection, type RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { after, type Call, type Rest, timeOver } from "./Call.js"
import { toCallError } from "./CallFailure.js"
import { afterDoubt, decide, type Facts, isLost, isMisuse } from "./decide.js"
import type { ToolHints } from "./ToolHints.js"
import type { Waiting } from "./Waiting.js"

export class FailedRequests {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  readonly #wait: Waiting
  readonly #hints: ToolHints

  constructor(backend: BackendState, probe: Probe, doubt: SessionDoubt, wait: Waiting, hints: ToolHints) {
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
    this.#wait = wait
    this.#hints = hints
  }

  recover<M extends Method>(call: Call<M>, runtime: Runtime, error: RequestError): Rest<M> {
    if (error.ifSessionLost === undefined) return this.#follow(call, runtime, error)
    // The server may have forgotten the session: that is found out first. (R12)
    return Effect.flatMap(this.#backend.before(call.deadline, this.#doubt.settle(runtime, error)), (settled) => {
      const session = Option.getOrElse(settled, constant("unknown" as const))
      if (session === "alive" && isGone(error)) call.refusedBeside++
      return this.#follow(call, runtime, afterDoubt(error, session, call.refusedBeside, this.#factsOf(call, runtime)))
    })
  }

  #factsOf<M extends Method>(call: Call<M>, runtime: Runtime): Facts {
    const { calls } = this.#backend.policy
    return {
      generation: runtime.generation,
      mayRepeat: this.#hints.mayRepeat(call, runtime),
      trustsRefusals: calls.afterRefusal === "resend",
      retries: (call.tool?.retry ?? calls.retry) === "safe"
    }
  }

  #follow<M extends Method>(call: Call<M>, runtime: Runtime, failure: RequestError): Rest<M> {
    const { again, error, harmless, isSuspicious, tally, times } = decide(failure, call, this.#factsOf(call, runtime))
    Object.assign(call, tally)
    const fail = this.fail(error, call.method, runtime, timeOver(call), harmless, times)
    const suspicion = isSuspicious ? this.#probe.onSuspicion(runtime, error.reason === "timeout") : Effect.void
    if (again === "no") return isSuspicious ? Effect.zipRight(suspicion, fail) : fail
    const gone = isLost(error)
    const wait = gone ? this.#wait.forCall(call, runtime) : this.#pause(call, runtime, error, fail)
    const waits = again === "yes" || gone
    if (error.fate === "unknown") {
      call.undecided = { failed: runtime, readOn: undefined, pause: waits ? undefined : wait, fail }
    }
    return after(waits ? Effect.zipRight(suspicion, wait) : suspicion)
  }

  /** Ends where the server answers again, unless it did during the last one: then it means this call. */
  #pause<M extends Method>(
    call: Call<M>,
    runtime: Runtime,
    error: RequestError,
    fail: Effect.Effect<never, CallError>
  ): Effect.Effect<void, CallError> {
    const backend = this.#backend
    const { demandInterval, maxDelay } = backend.policy.reconnect
    // A time that has passed, or none, is no reason to ask without a pause.
    const delay = error.retryAfter || Math.min(maxDelay, demandInterval * 2 ** (call.sent - 1))
    const end = backend.now() + delay
    const { answers } = runtime
    const since = call.refused?.since ?? backend.now()
    const last = delay === error.retryAfter ? this.#wait.patience(call, call.deadline, since) : call.deadline
    if (end >= last) return fail
    const answersOthers = call.refused?.by === runtime && call.refused.answers !== answers
    call.refused = { by: runtime, answers, since }
    if (answersOthers || isObjection(error)) return backend.sleepUntil(end)
    const isBack = () => runtime.detached || runtime.answers !== answers
    const back = Effect.zipRight(runtime.hold(isBack), backend.sleepUntil(backend.now() + demandInterval))
    return Effect.asVoid(backend.before(end, back))
  }

  mayRepeat<M extends Method>(call: Call<M>, runtime: Runtime): boolean {
    return this.#hints.mayRepeat(call, runtime) === true
  }

  /** The caller's own mistake is no failure of the call. */
  fail(
    error: RequestError,
    method: string,
    runtime: Runtime,
    timeout: number,
    harmless = false,
    times?: number
  ): Effect.Effect<never, CallError> {
    if (isMisuse(error)) return Effect.die(error.cause ?? error)
    const { id: backend, published } = this.#backend
    const { current, lastError, state, verdict } = published.value
    const evidence = current === runtime ? verdict?.reason : undefined
    const about = { backend, generation: runtime.generation, method, timeout, state, lastError, evidence }
    return Effect.fail(toCallError(error, { ...about, harmless, times }))
  }
}
