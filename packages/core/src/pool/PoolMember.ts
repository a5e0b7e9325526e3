/** One of several processes of a server, with a supervisor of its own. */
import { Cause, Effect, Exit, type Scope } from "effect"
import { type Started, startParts } from "../backend/start.js"
import { silence } from "../calls/Call.js"
import { isSuspicious } from "../calls/CallFailure.js"
import { type InvalidOptions, type RequestError, requestErrorOf } from "../Errors.js"
import type { Event } from "../observe/Event.js"
import * as Telemetry from "../observe/Telemetry.js"
import type { Policy } from "../options/Policy.js"
import type { RequestOptions } from "../port/Connection.js"
import type { Connector } from "../port/Connector.js"
import type { Loss, ProcessStatus } from "../port/Loss.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { InFlight, Runtime } from "../runtime/Runtime.js"

export interface Options {
  readonly number: number
  readonly backend: string
  readonly policy: Policy
  readonly connector: Connector
  readonly now: () => number
  /** Must not throw. */
  readonly onEvent: (event: Event, member: PoolMember) => void
  /** Must not throw. */
  readonly onChanged: (member: PoolMember) => void
}

export interface Choice {
  readonly member: PoolMember
  readonly live: Runtime
}

/** The connection, or its session, is gone with the failed request. */
export const isGone = ({ reason }: RequestError): boolean => reason === "lost" || reason === "session"

/** A process, or the wait for the next one in its place. */
export class PoolMember {
  readonly number: number
  readonly #options: Options
  readonly #started: Started
  /** A runtime that has failed a request as lost, before its end was known otherwise. */
  #gone: Runtime | undefined

  private constructor(options: Options, started: Started) {
    this.number = options.number
    this.#options = options
    this.#started = started
  }

  static make(options: Options): Effect.Effect<PoolMember, InvalidOptions, Scope.Scope> {
    let member: PoolMember | undefined
    const { backend, connector, number, onChanged, onEvent, policy } = options
    // It reads no lists, only the pool starts it, and it ends with the others.
    const own: Policy = {
      ...policy,
      lifecycle: { lazy: false, idleRelease: undefined, disabled: false },
      discovery: { ...policy.discovery, mode: "learn" },
      // Its connector compares the tools of each process.
      pin: "off"
    }
    // Its supervisor runs only after this step.
    const observer = {
      changed: () => {
        if (member !== undefined) onChanged(member)
      },
      catalogChanged: () => {},
      event: (event: Event) => {
        if (member !== undefined) onEvent(event, member)
      }
    }
    return startParts(`${backend} (process ${number})`, { connector }, { policy: own, observer }).pipe(
      // Telemetry counts connections of the server, not of its processes.
      Effect.provideService(Telemetry.Current, undefined),
      Effect.map((started) => member = new PoolMember(options, started))
    )
  }

  /** `undefined` if requests cannot be sent there. */
  get live(): Runtime | undefined {
    const { current } = this.#started.state.published.value
    return current === undefined || current.loss !== undefined || current === this.#gone
      ? undefined
      : current
  }

  /** Its connection has ended, and its supervisor does not know yet. */
  get isEnding(): boolean {
    return this.live === undefined && this.#started.state.published.value.current !== undefined
  }

  get loss(): Loss {
    const { current, lastError } = this.#started.state.published.value
    return current?.loss ?? { kind: "closed", message: lastError?.message ?? "it is not connected" }
  }

  get inFlight(): number {
    return this.#started.state.published.value.current?.inFlight ?? 0
  }

  /** It has left a request without an answer, and has answered nothing since. */
  get isSilent(): boolean {
    const { live } = this
    return live !== undefined && this.#started.supervisor.tasks.probe.silenceOf(live) !== undefined
  }

  /** Ends when it is not silent any more, or not connected. */
  get heard(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { live } = this
      return live === undefined ? Effect.void : live.until(() => live.detached || !this.isSilent)
    })
  }

  /** Sends in the same synchronous step. */
  request<M extends Method>(
    runtime: Runtime,
    method: M,
    params: Params<M>,
    options: RequestOptions
  ): Effect.Effect<Result<M>, RequestError> {
    return Effect.uninterruptibleMask((restore) => {
      const { now } = this.#options
      const { onprogress } = options
      const request = { heardAt: now(), questions: 0 }
      const heard: RequestOptions["onprogress"] = onprogress && ((progress) => {
        request.heardAt = now()
        onprogress(progress)
      })
      runtime.begin(request)
      const sent = Effect.suspend(() => runtime.connection.request(method, params, { ...options, onprogress: heard }))
      return Effect.onExit(restore(sent), (exit) => this.#ended(runtime, method, exit, request))
    })
  }

  #ended(
    runtime: Runtime,
    method: Method,
    exit: Exit.Exit<unknown, RequestError>,
    request: InFlight
  ): Effect.Effect<void> {
    const { state, supervisor: { tasks: { probe } } } = this.#started
    const now = this.#options.now()
    if (Exit.isSuccess(exit)) {
      return Effect.sync(() => {
        runtime.end(now, true, request)
        runtime.worked(method)
      })
    }
    if (Cause.isInterruptedOnly(exit.cause)) {
      runtime.end(now, false, request)
      if (now - Math.max(request.heardAt, runtime.answeredAt) < silence) return Effect.void
      probe.leftUnanswered(runtime)
      return Effect.sync(() => state.send({ _tag: "GivenUp", runtime }))
    }
    const error = requestErrorOf(exit.cause)
    runtime.end(now, error.fate === "answered", request)
    if (isGone(error)) {
      this.#gone = runtime
      return Effect.sync(() => this.#options.onChanged(this))
    }
    return isSuspicious(error) ? Effect.asVoid(probe.onSuspicion(runtime, error.reason === "timeout")) : Effect.void
  }

  /** Counted as a probe; returns why it failed. */
  probe(live: Runtime): Effect.Effect<RequestError | undefined> {
    return this.#started.supervisor.tasks.probe.now(live)
  }

  /** For the next process in its place, too. */
  remember<M extends Method>(method: M, params: Params<M>): void {
    this.#started.supervisor.calls.sessionState.note(method, params)
  }

  get status(): ProcessStatus {
    const { lastError, nextAttemptAt, state: { _tag: state }, generation, current } =
      this.#started.state.published.value
    const isStable = current !== undefined && this.#started.state.isStable(current)
    return {
      number: this.number,
      pid: current?.connection.peer.pid,
      state,
      generation,
      inFlight: this.inFlight,
      usage: current?.usage,
      lastError: isStable ? undefined : lastError?.message,
      nextAttemptAt
    }
  }
}
