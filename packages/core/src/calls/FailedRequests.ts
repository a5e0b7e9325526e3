/**
 * What follows on a failed request: it is sent again where that helps and does no harm, else its call fails.
 */
import { Effect, Option } from "effect"
import { constant } from "effect/Function"
import { type CallError, isGone, RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import type { Method, Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { type Attempt, type Call, timeOver } from "./Call.js"
import { type About, afterUnknown, isMisuse, isSuspicious, maySendAgain, toCallError } from "./CallFailure.js"
import type { ConnectionWait } from "./ConnectionWait.js"
import type { QueuedCalls } from "./QueuedCalls.js"
import type { ToolHints } from "./ToolHints.js"

/**
 * So often a request reaches the server, in whole or in part, without a result (C3). A call that ends the server each time would otherwise end it for
 * everybody, as long as its caller waits.
 */
const mostWithoutResult = 6

/** So often something else than the server may refuse a request while the server gives its lists: then the request is meant. */
const mostRefusedBeside = 3

/** Decides what becomes of the calls of one backend whose requests have failed. */
export class FailedRequests {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  readonly #wait: ConnectionWait
  readonly #queue: QueuedCalls
  readonly #hints: ToolHints

  constructor(
    backend: BackendState,
    probe: Probe,
    doubt: SessionDoubt,
    wait: ConnectionWait,
    queue: QueuedCalls,
    hints: ToolHints
  ) {
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
    this.#wait = wait
    this.#queue = queue
    this.#hints = hints
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
      (settled) => {
        const outcome = Option.getOrElse(settled, constant("unknown"))
        // Whoever gives lists means this request by a refusal that it repeats.
        if (outcome === "alive" && isGone(error) && ++call.refusedBeside === mostRefusedBeside) {
          const { message } = error
          const meant = new RequestError({ fate: "answered", reason: "protocol", message, cause: error.cause })
          return this.#sendAgain(call, installed, meant, attempt)
        }
        const mayRepeat = (fate === "rejected" && this.#trustsRefusals) || this.mayRepeat(call, installed.runtime) // guard: doubted-side-effect-once
        return this.#sendAgain(
          call,
          installed,
          outcome === "lost" && mayRepeat
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
    failure: RequestError,
    attempt: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    const { runtime } = installed
    const error = this.#asTrusted(call, runtime, failure)
    const { fate, reason } = error
    const mayRepeat = fate === "unknown" ? this.#hints.mayRepeat(call, runtime) : true
    const harmless = call.repeated || (fate === "unknown" && mayRepeat === true)
    call.isDoubtful = call.repeated || fate === "unknown" || fate === "answered"
    const hasReached = fate === "unknown" || error.partlySent === true
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
      call.repeated ||= fate === "unknown" && mayRepeat === true
      const gone = reason === "lost" || reason === "session"
      const again: Attempt = gone ? attempt : (call) => Effect.zipRight(this.#pause(call, error, fail), attempt(call))
      const next = Effect.zipRight(
        gone && runtime.spreads && runtime.loss === undefined
          ? Effect.void // One process was lost, and another one takes it. (C18)
          : gone
          ? this.#wait.forCall(call, runtime)
          : this.#backend.before(call.deadline, verdict),
        mayRepeat === undefined ? this.#asHintsSay(call, installed, fail, again) : again(call)
      )
      return fate === "unknown"
        ? Effect.mapError(
          next,
          (last) => {
            const about = { backend: this.#backend.id, generation: runtime.generation, method: call.method }
            return afterUnknown(last, error, about, call.repeated)
          }
        )
        : next
    })
  }

  /** Whether a refused request was not carried out, whoever has refused it. */
  get #trustsRefusals(): boolean {
    return this.#backend.policy.calls.afterRefusal === "resend"
  }

  /** A refusal as what it proves: nothing, where somebody on the way may have passed the request on before, and twice would do harm. (C16) */
  #asTrusted<M extends Method>(call: Call<M>, runtime: Runtime, error: RequestError): RequestError {
    if (error.fate !== "rejected" || this.#trustsRefusals || this.mayRepeat(call, runtime)) return error
    const message =
      `it was refused (${error.message}), which is no proof that nobody has carried it out (calls.afterRefusal)`
    return new RequestError({ ...error, fate: "unknown", message, cause: error })
  }

  /**
   * What follows where nobody has read the hints of the tool yet: they are read on the present connection, which may be a new one, and
   * decide. Another version of the server may have made of a tool that adds one that sets: then only a tool that reads is harmless. (C15)
   */
  #asHintsSay<M extends Method>(
    call: Call<M>,
    failed: LiveConnection,
    fail: Effect.Effect<never, CallError>,
    attempt: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      const { current, hasSuccessor } = this.#backend.published.value
      // What the tools of another server say is nothing about a call that this one may have carried out.
      if (current === undefined && hasSuccessor) return fail
      const again = Effect.suspend(() => this.#asHintsSay(call, failed, fail, attempt))
      if (current === undefined) return Effect.zipRight(this.#wait.forCall(call), again)
      // Nothing of the call is in flight meanwhile, and others need not wait for it.
      this.#queue.leave(call) // guard: reading-holds-no-place
      return Effect.flatMap(this.#hints.read(call, current), () => {
        const { runtime } = current
        const mayRepeat = this.#hints.mayRepeat(call, runtime, !isSameServer(failed, current))
        if (mayRepeat === true) {
          call.repeated = true
          return attempt(call)
        }
        const isLost = mayRepeat === undefined && !this.#backend.isCurrent(runtime)
        return isLost && this.#backend.now() < call.deadline ? again : fail
      })
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

  /** Whether it is known that doing it twice does no harm (C3). */
  mayRepeat<M extends Method>(call: Call<M>, runtime: Runtime): boolean {
    return this.#hints.mayRepeat(call, runtime) === true
  }

  /** Fails with the error that a caller sees; the caller's own mistake is no failure of the call, and comes as it is. */
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

const isSameServer = ({ connection: a }: LiveConnection, { connection: b }: LiveConnection): boolean =>
  a.serverInfo.name === b.serverInfo.name && a.serverInfo.version === b.serverInfo.version
