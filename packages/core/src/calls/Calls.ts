/**
 * Calls: one read of the slot and the request where there is a connection; waiting, and sending again what may be sent again,
 * where there is none or it was lost.
 */
import { Cause, Effect, identity } from "effect"
import { type BackendUnavailable, type CallError, RequestError, requestErrorOf, SessionExpired } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import type { BackendState } from "../lifecycle/BackendState.js"
import type { CallObserver } from "../observe/Telemetry.js"
import type { CallOptions } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type { RequestOptions } from "../port/Connection.js"
import { isRead, type Method, type Params, type Result } from "../port/Method.js"
import type { Session } from "../port/Session.js"
import type { Installed } from "../runtime/Installed.js"
import type { Runtime } from "../runtime/Runtime.js"
import {
  type About,
  afterUnknown,
  busy,
  isMisuse,
  isSuspicious,
  maySendAgain,
  toCallError,
  unavailable
} from "./CallFailure.js"
import { ConnectionWait } from "./ConnectionWait.js"
import * as Hints from "./Hints.js"
import { SessionState } from "./SessionState.js"

/** One call on its way, through however many connections it takes. */
interface Call<M extends Method> {
  readonly method: M
  readonly params: Params<M>
  readonly options: CallOptions | undefined
  readonly timeout: number
  deadline: number
  /** Each progress moves the deadline, and nothing bounds the whole. */
  readonly openEnded: boolean
  /** Requests that were sent and failed. */
  sent: number
  observer: CallObserver<M> | undefined
}

/** Makes calls for one backend, and counts those that wait. */
export class Calls {
  /** What the server was asked to keep for its session. */
  readonly sessionState = new SessionState()
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  readonly #wait: ConnectionWait
  /** The generation whose session was lost and that no call has been failed for yet. (C12) */
  #lostGeneration: number | undefined

  constructor(backend: BackendState, probe: Probe, doubt: SessionDoubt) {
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
    this.#wait = new ConnectionWait(backend)
  }

  /** How many calls wait for a connection. */
  get waiting(): number {
    return this.#wait.waiting
  }

  /**
   * A session was lost without being asked to: with `afterSessionLoss: "fail"` the next call fails with SessionExpired, however many
   * connections are made before it comes.
   */
  sessionLost(generation: number): void {
    if (this.#backend.policy.calls.afterSessionLoss === "fail") this.#lostGeneration ??= generation
  }

  /** Somebody has ended the connection on purpose, and knows that the next session begins with nothing. */
  forgetSessionLoss(): void {
    this.#lostGeneration = undefined
  }

  /** One call. Its `timeout` bounds the whole: waiting, the answer, and sending again. */
  request<M extends Method>(
    method: M,
    params: Params<M>,
    options?: CallOptions
  ): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      const timeout = millis(options?.timeout, this.#backend.policy.timeouts.request)
      const progressResets = options?.resetTimeoutOnProgress === true
      const openEnded = progressResets && options.maxTotalTimeout === undefined
      const total = millis(options?.maxTotalTimeout, timeout)
      const longest = progressResets ? total : Math.min(timeout, total)
      const call: Call<M> = {
        method,
        params,
        options,
        timeout,
        deadline: this.#now() + longest,
        openEnded,
        sent: 0,
        observer: undefined
      }
      const { telemetry } = this.#backend
      return telemetry === undefined ? this.#attempt(call) : telemetry.call(method, params, (observer) => {
        call.observer = observer
        return this.#attempt(call)
      })
    })
  }

  /** Requests on one connection that is not installed yet: what `onConnected` is given. (C11) */
  session({ connection, runtime }: Installed): Session {
    return {
      generation: runtime.generation,
      request: (method, params, options) => {
        const timeout = millis(options?.timeout, this.#backend.policy.timeouts.request)
        return Effect.catchAllCause(
          Effect.suspend(() => connection.request(method, params, { ...options, timeout, maxTotalTimeout: undefined })),
          (cause) =>
            Cause.isInterruptedOnly(cause)
              ? Effect.interrupt
              : this.#fail(requestErrorOf(cause), method, runtime, timeout)
        )
      }
    }
  }

  /**
   * Runs something on the current connection, waiting for one where there is none; on the next one where that was lost, if
   * it did not happen or may happen twice.
   */
  withConnection<A>(
    use: (installed: Installed) => Effect.Effect<A, RequestError>,
    method: string
  ): Effect.Effect<A, CallError> {
    return Effect.suspend(() => {
      const { request, wait } = this.#backend.policy.timeouts
      const deadline = this.#now() + Math.max(request, wait)
      const on = (lost: Runtime | undefined): Effect.Effect<A, CallError> =>
        Effect.suspend(() => {
          const installed = this.#backend.published.value.current
          if (installed === undefined || installed.runtime === lost) {
            return Effect.zipRight(this.#wait.until(Math.min(deadline, this.#now() + wait), lost), on(undefined))
          }
          return Effect.catchAll(use(installed), (error) => {
            const gone = error.reason === "lost" || error.reason === "session"
            const harmless = error.fate !== "unknown" || isRead(method)
            return gone && harmless && this.#now() < deadline
              ? on(installed.runtime)
              : this.#fail(error, method, installed.runtime, request)
          })
        })
      return on(undefined)
    })
  }

  /** Probes the current connection, without waiting for one. */
  get probe(): Effect.Effect<void, CallError> {
    return Effect.suspend(() => {
      const installed = this.#backend.published.value.current
      if (installed === undefined) return Effect.fail(this.unavailable("there is no connection to probe"))
      return Effect.flatMap(this.#probe.now(installed), (error) =>
        error === undefined
          ? Effect.void
          : this.#fail(error, "ping", installed.runtime, this.#backend.policy.keepalive.timeout))
    })
  }

  #now(): number {
    return this.#backend.now()
  }

  /**
   * Reads the slot, takes a lease and sends, in one synchronous step; gives the lease back whatever comes. A connector that
   * dies or interrupts itself is a failed request like any other.
   */
  #attempt<M extends Method>(call: Call<M>): Effect.Effect<Result<M>, CallError> {
    return Effect.uninterruptibleMask((restore) => {
      const installed = this.#backend.published.value.current
      if (installed === undefined) {
        const wait = this.#wait.until(this.#waitUntil(call), undefined, call.options?.failFast)
        return restore(Effect.zipRight(wait, this.#attempt(call)))
      }
      const { connection, runtime } = installed
      const refusal = this.#refusal(runtime)
      if (refusal !== undefined) return Effect.fail(refusal)
      runtime.begin()
      return Effect.matchCauseEffect(
        restore(Effect.suspend(() => {
          const options = this.#requestOptions(call)
          return call.observer === undefined
            ? connection.request(call.method, call.params, options)
            : call.observer.attempt(
              { connection, generation: runtime.generation },
              (params) => connection.request(call.method, params, options)
            )
        })),
        {
          onSuccess: (result) => {
            runtime.end(this.#now(), true)
            this.#learn(call, runtime, result)
            return Effect.succeed(result)
          },
          onFailure: (cause) => {
            const error = requestErrorOf(cause)
            runtime.end(this.#now(), error.fate === "answered")
            return restore(
              error.ifSessionLost === undefined
                ? this.#failed(call, installed, error)
                : this.#doubtful(call, installed, error, error.ifSessionLost)
            )
          }
        }
      )
    })
  }

  /** A refusal that may be that of a server which has forgotten the session: that is found out first. (R12) */
  #doubtful<M extends Method>(
    call: Call<M>,
    installed: Installed,
    error: RequestError,
    fate: "rejected" | "answered"
  ): Effect.Effect<Result<M>, CallError> {
    const left = Math.max(0, call.deadline - this.#now())
    return Effect.flatMap(
      Effect.timeoutTo(this.#doubt.settle(installed, error), {
        duration: left,
        onTimeout: () => false,
        onSuccess: identity
      }),
      (lost) => {
        const mayRepeat = fate === "rejected" || this.#mayRepeat(call, installed.runtime) // guard: doubted-side-effect-once
        return this.#failed(
          call,
          installed,
          lost && mayRepeat
            ? new RequestError({ fate: "rejected", reason: "session", message: error.message, cause: error })
            : error
        )
      }
    )
  }

  /** What an answered request tells of the server. */
  #learn<M extends Method>({ method, params }: Call<M>, runtime: Runtime, result: unknown): void {
    if (method !== "tools/list") return this.sessionState.note(method, params)
    const { published, policy } = this.#backend
    runtime.learn(Hints.learn(runtime.listed, result, published.value.revision, policy.discovery.maxEntries))
  }

  /** Why a connection is not to be used for a call now. */
  #refusal({ generation: newGeneration, inFlight }: Runtime): CallError | undefined {
    const backend = this.#backend.id
    const generation = this.#lostGeneration
    if (generation !== undefined) {
      this.#lostGeneration = undefined
      return new SessionExpired({
        backend,
        generation,
        newGeneration,
        message:
          `${backend}: the call was not sent, because the session of generation ${generation} was lost, and generation ${newGeneration} knows nothing of it. Rebuild what the server kept for you, then call again`
      })
    }
    return inFlight >= this.#backend.policy.calls.maxInFlight
      ? busy(backend, `${inFlight} calls are in flight (calls.maxInFlight)`)
      : undefined
  }

  #requestOptions<M extends Method>(call: Call<M>): RequestOptions {
    const { deadline, openEnded, options, timeout } = call
    const left = Math.max(0, deadline - this.#now())
    if (options === undefined) return { timeout: left }
    const { onprogress } = options
    const moves: RequestOptions["onprogress"] = (progress) => {
      call.deadline = this.#now() + timeout
      onprogress?.(progress)
    }
    return {
      timeout: Math.min(timeout, left),
      resetTimeoutOnProgress: options.resetTimeoutOnProgress,
      maxTotalTimeout: openEnded ? undefined : left,
      onprogress: openEnded ? moves : onprogress,
      cancelReason: options.cancelReason,
      task: options.task,
      resultSchema: options.resultSchema
    }
  }

  /** What follows on a failed request, by its fate (C2, C3). */
  #failed<M extends Method>(
    call: Call<M>,
    installed: Installed,
    error: RequestError
  ): Effect.Effect<Result<M>, CallError> {
    const { runtime } = installed
    const { fate, reason } = error
    const fail = this.#fail(error, call.method, runtime, call.timeout)
    if (fate === "answered" || isMisuse(error)) return fail
    const suspicion = isSuspicious(error) ? this.#probe.onSuspicion(installed) : Effect.succeed(Effect.void)
    const again = this.#backend.policy.calls.retry === "safe" && maySendAgain(error)
    const harmful = fate === "unknown" && !this.#mayRepeat(call, runtime)
    return Effect.flatMap(suspicion, (verdict) => {
      if (!again) return fail
      if (harmful) return fail // guard: side-effect-once
      call.sent++
      const gone = reason === "lost" || reason === "session"
      const next = Effect.zipRight(
        gone
          ? this.#wait.until(this.#waitUntil(call), runtime, call.options?.failFast)
          : Effect.zipRight(verdict, this.#pause(call, error, fail)),
        this.#attempt(call)
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
    const delay = error.retryAfter ?? Math.min(maxDelay, demandInterval * 2 ** (call.sent - 1))
    return this.#now() + delay < call.deadline ? Effect.sleep(delay) : fail
  }

  /** Whether doing it twice does no harm: by the caller's word, by the protocol, by the tool's hints (C3). */
  #mayRepeat<M extends Method>({ method, options, params }: Call<M>, runtime: Runtime): boolean {
    if (options?.idempotent !== undefined) return options.idempotent
    if (isRead(method)) return true
    if (method !== "tools/call" || !this.#backend.policy.calls.trustAnnotations) return false
    const { generation, listed } = runtime
    const { name } = params as Params<"tools/call">
    return Hints.mayRepeat(name, generation, listed, this.#backend.published.value.snapshot)
  }

  #waitUntil<M extends Method>({ deadline, options }: Call<M>): number {
    return Math.min(deadline, this.#now() + millis(options?.wait, this.#backend.policy.timeouts.wait))
  }

  /** Fails with the error that a caller sees; the caller's own mistake is no failure of the call, and comes as it is. */
  #fail(error: RequestError, method: string, runtime: Runtime, timeout: number): Effect.Effect<never, CallError> {
    if (isMisuse(error)) return Effect.die(error.cause ?? error)
    return Effect.fail(toCallError(error, this.#about(method, runtime, timeout)))
  }

  #about(method: string, { generation }: Runtime, timeout: number): About {
    const { lastError, state } = this.#backend.published.value
    return { backend: this.#backend.id, generation, method, timeout, state, lastError: lastError?.message }
  }

  /** A BackendUnavailable that says where the backend stands. */
  unavailable(why: string): BackendUnavailable {
    return unavailable(this.#backend.id, this.#backend.published.value, this.#now(), why)
  }
}

const millis = (input: CallOptions["timeout"], otherwise: number): number =>
  input === undefined ? otherwise : TimeSpan.millis(input)
