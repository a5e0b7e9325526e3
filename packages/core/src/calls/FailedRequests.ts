/** What follows on a failed request: it is sent again where that helps and does no harm, else its call fails. */
import { Effect, Option } from "effect"
import { constant } from "effect/Function"
import { type CallError, isGone, RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { after, type Call, type Rest, timeOver } from "./Call.js"
import { type About, isLost, isMisuse, isSuspicious, maySendAgain, toCallError } from "./CallFailure.js"
import type { ToolHints } from "./ToolHints.js"
import type { Waiting } from "./Waiting.js"

/** A call that ends the server each time must not do so for everybody, as long as its caller waits. (C3) */
const mostWithoutResult = 6

/** If something else than the server refuses it so often while the server gives its lists, the request is meant. */
const mostRefusedBeside = 3

export class FailedRequests {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  readonly #wait: Waiting
  readonly #hints: ToolHints

  constructor(
    backend: BackendState,
    probe: Probe,
    doubt: SessionDoubt,
    wait: Waiting,
    hints: ToolHints
  ) {
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
    this.#wait = wait
    this.#hints = hints
  }

  recover<M extends Method>(call: Call<M>, runtime: Runtime, error: RequestError): Rest<M> {
    return error.ifSessionLost === undefined
      ? this.#sendAgain(call, runtime, error)
      : this.#doubtful(call, runtime, error, error.ifSessionLost)
  }

  /** The server may have forgotten the session: that is found out first. (R12) */
  #doubtful<M extends Method>(
    call: Call<M>,
    runtime: Runtime,
    error: RequestError,
    fate: "rejected" | "answered"
  ): Rest<M> {
    return Effect.flatMap(
      this.#backend.before(call.deadline, this.#doubt.settle(runtime, error)),
      (settled) => {
        const outcome = Option.getOrElse(settled, constant("unknown"))
        // Whoever gives lists means this request by a refusal that it repeats.
        if (outcome === "alive" && isGone(error) && ++call.refusedBeside === mostRefusedBeside) {
          const { message } = error
          const meant = new RequestError({ fate: "answered", reason: "protocol", message, cause: error.cause })
          return this.#sendAgain(call, runtime, meant)
        }
        const mayRepeat = (fate === "rejected" && this.#trustsRefusals) || this.mayRepeat(call, runtime) // guard: doubted-side-effect-once
        return this.#sendAgain(
          call,
          runtime,
          outcome === "lost" && mayRepeat
            ? new RequestError({ fate: "rejected", reason: "session", message: error.message, cause: error })
            : error
        )
      }
    )
  }

  /** By its fate. (C2, C3) */
  #sendAgain<M extends Method>(call: Call<M>, runtime: Runtime, failure: RequestError): Rest<M> {
    const error = this.#asTrusted(call, runtime, failure)
    const { fate, reason } = error
    const isUnknown = fate === "unknown"
    const mayRepeat = isUnknown ? this.#hints.mayRepeat(call, runtime) : true
    const harmless = call.repeated || (isUnknown && mayRepeat === true)
    call.isDoubtful = isUnknown || fate === "answered"
    if (isUnknown) call.unknown ??= { generation: runtime.generation, error }
    else if (fate === "answered") call.unknown = undefined
    const hasReached = isUnknown || error.partlySent === true
    const isLast = hasReached && ++call.withoutResult >= mostWithoutResult
    const times = isLast ? call.withoutResult : undefined
    const fail = this.fail(error, call.method, runtime, timeOver(call), harmless, times)
    if (fate === "answered" || isMisuse(error)) return fail
    const suspicion = isSuspicious(error)
      ? this.#probe.onSuspicion(runtime, reason === "timeout")
      : Effect.succeed(Effect.void)
    const isWanted = (call.tool?.retry ?? this.#backend.policy.calls.retry) === "safe" && maySendAgain(error)
    return Effect.flatMap(suspicion, (verdict) => {
      if (!isWanted) return fail
      if (mayRepeat === false) return fail // guard: side-effect-once
      if (isLast) return fail
      call.sent++
      call.repeated ||= isUnknown && mayRepeat === true
      const gone = isLost(error)
      const wait = gone && runtime.connection.spreads === true && runtime.loss === undefined
        ? Effect.void // One process was lost, and another one takes it. (C18)
        : gone
        ? this.#wait.forCall(call, runtime)
        : this.#backend.before(call.deadline, verdict)
      const pause = gone ? Effect.void : this.#pause(call, error, fail)
      if (mayRepeat !== undefined) return after(Effect.zipRight(wait, pause))
      call.undecided = { failed: runtime, readOn: undefined, pause, fail }
      return after(wait)
    })
  }

  /** Whether a refused request was not carried out, whoever has refused it. */
  get #trustsRefusals(): boolean {
    return this.#backend.policy.calls.afterRefusal === "resend"
  }

  /** A refusal proves nothing where somebody on the way may have passed the request on, and twice would do harm. (C16) */
  #asTrusted<M extends Method>(call: Call<M>, runtime: Runtime, error: RequestError): RequestError {
    if (error.fate !== "rejected" || this.#trustsRefusals || this.mayRepeat(call, runtime)) return error
    const message =
      `it was refused (${error.message}), which is no proof that nobody has carried it out (calls.afterRefusal)`
    return new RequestError({ ...error, fate: "unknown", message, cause: error })
  }

  #pause<M extends Method>(
    call: Call<M>,
    error: RequestError,
    fail: Effect.Effect<never, CallError>
  ): Effect.Effect<void, CallError> {
    const { demandInterval, maxDelay } = this.#backend.policy.reconnect
    // A time that has passed, or none, is no reason to ask without a pause.
    const delay = error.retryAfter || Math.min(maxDelay, demandInterval * 2 ** (call.sent - 1))
    const end = this.#backend.now() + delay
    return end < call.deadline ? this.#backend.sleepUntil(end) : fail
  }

  /** Known to do no harm twice. (C3) */
  mayRepeat<M extends Method>(call: Call<M>, runtime: Runtime): boolean {
    return this.#hints.mayRepeat(call, runtime) === true
  }

  /** The caller's own mistake is no failure of the call, and comes as it is. */
  fail(
    error: RequestError,
    method: string,
    runtime: Runtime,
    timeout: number,
    harmless = false,
    times?: number
  ): Effect.Effect<never, CallError> {
    if (isMisuse(error)) return Effect.die(error.cause ?? error)
    return Effect.fail(toCallError(error, { ...this.#about(method, runtime, timeout), harmless, times }))
  }

  #about(method: string, { generation }: Runtime, timeout: number): About {
    const { lastError, state } = this.#backend.published.value
    return { backend: this.#backend.id, generation, method, timeout, state, lastError }
  }
}
