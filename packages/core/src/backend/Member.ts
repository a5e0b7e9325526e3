/** One of several connections of a server: what its owner sends, and what that shows of it. */
import { Effect, Exit } from "effect"
import { silence } from "../calls/Call.js"
import { isLost, isSuspicious } from "../calls/decide.js"
import { type RequestError, requestErrorOf } from "../Errors.js"
import type { RequestOptions } from "../port/Connection.js"
import type { Loss } from "../port/Loss.js"
import type * as Port from "../port/Member.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { ProcessStatus } from "../port/Peer.js"
import * as Sending from "../port/Sending.js"
import type { InFlight, Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Supervisor } from "../supervisor/Supervisor.js"

/** A connection, or the wait for the next one in its place. */
export class Member implements Port.Member {
  readonly #number: number
  readonly #backend: BackendState
  readonly #supervisor: Supervisor
  readonly #onChanged: (member: Member) => void
  #live: Live | undefined

  constructor(
    { number, onChanged }: Pick<Port.MemberOptions, "number" | "onChanged">,
    backend: BackendState,
    supervisor: Supervisor
  ) {
    this.#number = number
    this.#onChanged = onChanged
    this.#backend = backend
    this.#supervisor = supervisor
  }

  get live(): Live | undefined {
    const { current } = this.#backend.published.value
    if (current === undefined) return this.#live = undefined
    if (this.#live?.runtime !== current) {
      this.#live = new Live(current, this.#backend, this.#supervisor, () => this.#onChanged(this))
    }
    return current.loss !== undefined || this.#live.isGone ? undefined : this.#live
  }

  get isEnding(): boolean {
    return this.live === undefined && this.#backend.published.value.current !== undefined
  }

  get loss(): Loss {
    const { current, lastError } = this.#backend.published.value
    return current?.loss ?? { kind: "closed", message: lastError?.message ?? "it is not connected" }
  }

  get inFlight(): number {
    return this.#backend.published.value.current?.inFlight ?? 0
  }

  get isSilent(): boolean {
    const { live } = this
    return live !== undefined && this.#supervisor.tasks.probe.silenceOf(live.runtime) !== undefined
  }

  get heard(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const runtime = this.live?.runtime
      return runtime === undefined ? Effect.void : runtime.until(() => runtime.detached || !this.isSilent)
    })
  }

  remember<M extends Method>(method: M, params: Params<M>): void {
    this.#supervisor.calls.sessionState.note(method, params)
  }

  get status(): ProcessStatus {
    const { lastError, nextAttemptAt, state: { _tag: state }, generation, current } = this.#backend.published.value
    const isStable = current !== undefined && this.#backend.isStable(current)
    return {
      number: this.#number,
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

class Live implements Port.LiveMember {
  readonly runtime: Runtime
  /** It has failed a request as lost, before its end was known otherwise. */
  isGone = false
  readonly #backend: BackendState
  readonly #supervisor: Supervisor
  readonly #onGone: () => void

  constructor(runtime: Runtime, backend: BackendState, supervisor: Supervisor, onGone: () => void) {
    this.runtime = runtime
    this.#backend = backend
    this.#supervisor = supervisor
    this.#onGone = onGone
  }

  get connection() {
    return this.runtime.connection
  }

  get probe(): Effect.Effect<RequestError | undefined> {
    return this.#supervisor.tasks.probe.now(this.runtime)
  }

  fail(loss: Loss): void {
    this.runtime.fail(loss)
  }

  send<M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions,
    settle: Sending.Settle<Result<M>>
  ): () => void {
    const { runtime } = this
    const { onprogress } = options
    const request = { heardAt: this.#backend.now(), questions: 0 }
    const heard: RequestOptions["onprogress"] = onprogress && ((progress) => {
      request.heardAt = this.#backend.now()
      onprogress(progress)
    })
    runtime.begin(request)
    const relay = new Sending.Relay(settle)
    const given = { ...options, onprogress: heard }
    relay.step<Result<M>>((settle) => runtime.connection.send(method, params, given, settle), (exit) => {
      this.#ended(method, exit, request)
      relay.settle(exit)
    })
    return () => {
      if (!relay.isOver) this.#givenUp(request)
      relay.cancel()
    }
  }

  #ended(method: Method, exit: Exit.Exit<unknown, RequestError>, request: InFlight): void {
    const { runtime } = this
    const now = this.#backend.now()
    if (Exit.isSuccess(exit)) {
      runtime.end(now, true, request)
      return runtime.worked(method)
    }
    const error = requestErrorOf(exit.cause)
    runtime.end(now, error.fate === "answered", request)
    if (isLost(error)) {
      this.isGone = true
      return this.#onGone()
    }
    if (isSuspicious(error)) this.#suspect(error.reason === "timeout")
  }

  #givenUp(request: InFlight): void {
    const { runtime } = this
    const now = this.#backend.now()
    runtime.end(now, false, request)
    if (now - Math.max(request.heardAt, runtime.answeredAt) >= silence) this.#suspect(true)
  }

  #suspect(isSilent: boolean): void {
    const { runtime } = this
    if (isSilent) this.#supervisor.tasks.probe.leftUnanswered(runtime)
    this.#backend.send({ _tag: "Suspected", runtime })
  }
}
