/**
 * What follows on a failed request: it is sent again where that helps and does no harm, else its call fails.
 */
import { Effect, Option } from "effect"
import { constFalse } from "effect/Function"
import * as Hints from "../catalog/Hints.js"
import { type CallError, RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import { isRead, type Method, type Params, type Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Call } from "./Call.js"
import { type About, afterUnknown, isMisuse, isSuspicious, maySendAgain, toCallError } from "./CallFailure.js"
import type { ConnectionWait } from "./ConnectionWait.js"

/** Sends the request of a call on the current connection. */
export type Attempt = <M extends Method>(call: Call<M>) => Effect.Effect<Result<M>, CallError>

/** Decides what becomes of the calls of one backend whose requests have failed. */
export class FailedRequests {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  readonly #wait: ConnectionWait

  constructor(backend: BackendState, probe: Probe, doubt: SessionDoubt, wait: ConnectionWait) {
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
    this.#wait = wait
  }

  /** Goes on with the call of a failed request: with another attempt, or with the error that its caller sees. */
  recover<M extends Method>(
    call: Call<M>,
    installed: LiveConnection,
    error: RequestError,
    attempt: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    return error.ifSessionLost === undefined
      ? this.#sendAgain(call, installed, error, attempt)
      : this.#doubtful(call, installed, error, error.ifSessionLost, attempt)
  }

  /** A refusal that may be that of a server which has forgotten the session: that is found out first. (R12) */
  #doubtful<M extends Method>(
    call: Call<M>,
    installed: LiveConnection,
    error: RequestError,
    fate: "rejected" | "answered",
    attempt: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    return Effect.flatMap(
      this.#backend.before(call.deadline, this.#doubt.settle(installed, error)),
      (outcome) => {
        const lost = Option.getOrElse(outcome, constFalse)
        const mayRepeat = fate === "rejected" || this.mayRepeat(call, installed.runtime) // guard: doubted-side-effect-once
        return this.#sendAgain(
          call,
          installed,
          lost && mayRepeat
            ? new RequestError({ fate: "rejected", reason: "session", message: error.message, cause: error })
            : error,
          attempt
        )
      }
    )
  }

  /** What follows on a failed request, by its fate (C2, C3). */
  #sendAgain<M extends Method>(
    call: Call<M>,
    installed: LiveConnection,
    error: RequestError,
    attempt: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    const { runtime } = installed
    const { fate, reason } = error
    const harmless = call.repeated || (fate === "unknown" && this.mayRepeat(call, runtime))
    call.isDoubtful = call.repeated || fate === "unknown" || fate === "answered"
    const fail = this.fail(error, call.method, runtime, call.timeout, harmless)
    if (fate === "answered" || isMisuse(error)) return fail
    const suspicion = isSuspicious(error)
      ? this.#probe.onSuspicion(runtime, reason === "timeout")
      : Effect.succeed(Effect.void)
    const again = this.#backend.policy.calls.retry === "safe" && maySendAgain(error)
    const harmful = fate === "unknown" && !this.mayRepeat(call, runtime)
    return Effect.flatMap(suspicion, (verdict) => {
      if (!again) return fail
      if (harmful) return fail // guard: side-effect-once
      call.sent++
      call.repeated ||= fate === "unknown"
      const gone = reason === "lost" || reason === "session"
      const next = Effect.zipRight(
        gone
          ? this.#wait.forCall(call, runtime)
          : Effect.zipRight(this.#backend.before(call.deadline, verdict), this.#pause(call, error, fail)),
        attempt(call)
      )
      return fate === "unknown"
        ? Effect.mapError(next, (last) => afterUnknown(last, error, this.#about(call.method, runtime, call.timeout)))
        : next
    })
  }

  /** Waits before a connection that lives is asked again, within the call's time. */
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

  /** Whether doing it twice does no harm: by the caller's word, by the protocol, by the tool's hints (C3). */
  mayRepeat<M extends Method>({ method, options, params }: Call<M>, runtime: Runtime): boolean {
    if (options?.idempotent !== undefined) return options.idempotent
    if (isRead(method)) return true
    if (method !== "tools/call" || !this.#backend.policy.calls.trustAnnotations) return false
    const { generation, listed } = runtime
    const { name } = params as Params<"tools/call">
    return Hints.mayRepeat(name, generation, listed, this.#backend.published.value.snapshot)
  }

  /** Fails with the error that a caller sees; the caller's own mistake is no failure of the call, and comes as it is. */
  fail(
    error: RequestError,
    method: string,
    runtime: Runtime,
    timeout: number,
    harmless = false
  ): Effect.Effect<never, CallError> {
    if (isMisuse(error)) return Effect.die(error.cause ?? error)
    return Effect.fail(toCallError(error, { ...this.#about(method, runtime, timeout), harmless }))
  }

  #about(method: string, { generation }: Runtime, timeout: number): About {
    const { lastError, state } = this.#backend.published.value
    return { backend: this.#backend.id, generation, method, timeout, state, lastError: lastError?.message }
  }
}
