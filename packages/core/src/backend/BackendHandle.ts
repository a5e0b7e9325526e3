import { Context, Effect, Either, Option, Schedule, Stream } from "effect"
import { millis } from "../calls/Call.js"
import { unavailable } from "../calls/CallFailure.js"
import * as Calls from "../calls/Calls.js"
import { isLost } from "../calls/decide.js"
import { fail } from "../calls/FailedRequests.js"
import * as Waiting from "../calls/Waiting.js"
import type { Kind, Snapshot } from "../catalog/Catalog.js"
import * as Refresh from "../discovery/Refresh.js"
import type { CallError, ProtocolError, RequestError } from "../Errors.js"
import * as Heartbeats from "../health/Heartbeats.js"
import { firstOf } from "../internal/races.js"
import * as Live from "../observe/Live.js"
import { program, said } from "../observe/Said.js"
import { type CallOptions, timeOf } from "../options/CallOptions.js"
import type { Connector } from "../port/Connector.js"
import { isRead, type Method, type Params, type Result } from "../port/Method.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Health from "../state/Health.js"
import type { Supervisor } from "../supervisor/Supervisor.js"
import type { Backend } from "./Backend.js"
import type { Extensions } from "./Extensions.js"
import { statusNow } from "./statusOf.js"

export interface Parts {
  readonly state: BackendState
  readonly supervisor: Supervisor
  readonly connector: Connector
  readonly extensions: Extensions
}

/** Makes effects and streams only when asked: thousands of idle backends hold none. Members may be taken off it. */
export class BackendHandle implements Backend {
  readonly #parts: Parts
  #successor: BackendHandle | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get parts(): Parts {
    return this.#parts
  }

  get id(): string {
    return this.#parts.state.id
  }

  get status(): Backend["status"] {
    const read = Effect.sync(() => statusNow(this.#parts.state, this.#parts.supervisor, this.#parts.connector))
    return Live.make(read, Stream.mapEffect(this.#parts.state.published.changes, () => read))
  }

  get events(): Backend["events"] {
    return this.#parts.state.events.stream(() => this.#parts.state.firstEvents)
  }

  get notifications(): Backend["notifications"] {
    return this.#parts.state.notifications.stream()
  }

  get catalog(): Backend["catalog"] {
    const { published } = this.#parts.state
    const { refresh } = this.#parts.supervisor.tasks
    const look = Effect.map(Refresh.enable(refresh), () => Refresh.touch(refresh))
    const changes = Stream.changes(Stream.map(published.changes, (slot) => slot.snapshot))
    return Live.make(Effect.map(look, () => published.value.snapshot), Stream.unwrap(Effect.as(look, changes)))
  }

  /** Returns what a reader has to wait for, if anything. */
  touchCatalog(): Effect.Effect<void> | undefined {
    const { refresh } = this.#parts.supervisor.tasks
    if (Refresh.areOld(refresh)) return Refresh.fresh(refresh)
    Refresh.touch(refresh)
    return undefined
  }

  seek(kind: Kind): Effect.Effect<ProtocolError | undefined> {
    return Refresh.seek(this.#parts.supervisor.tasks.refresh, kind)
  }

  get refresh(): Backend["refresh"] {
    return this.#refresh()
  }

  #refresh(options?: CallOptions): Backend["refresh"] {
    const { state, supervisor: { tasks: { refresh } } } = this.#parts
    const read = (runtime: Runtime) => Effect.map(Refresh.now(refresh, runtime), () => state.published.value.snapshot)
    return Effect.flatMap(
      this.#withConnection("tools/list", options, read, (to, rest) => to.#refresh(rest)),
      (snapshot) =>
        snapshot === undefined ? Effect.fail(unavailable(state, said`no catalogue`)) : Effect.succeed(snapshot)
    )
  }

  /** Ends when its lists are of its present connection, for which it waits like a call. */
  listed(options?: CallOptions): Effect.Effect<void, CallError> {
    const isFresh = (snapshot: Snapshot | undefined) => snapshot?.stale === false
    return Effect.suspend(() => {
      if (isFresh(this.#parts.state.published.value.snapshot)) return Effect.void
      const read = Effect.flatMap(
        Stream.runHead(Stream.filter(this.catalog.changes, isFresh)),
        Option.match({ onNone: () => Effect.never, onSome: () => Effect.void })
      )
      const wait = options?.failFast ? 0 : millis(options?.wait, this.#parts.state.policy.timeouts.wait)
      const end = this.#parts.state.now() + wait
      const again = Effect.retry(this.#refresh(options), {
        schedule: Schedule.spaced(wait / 4),
        while: (error) => error._tag !== "BackendUnavailable" && this.#parts.state.now() < end
      })
      const all = firstOf(read, Effect.asVoid(again))
      const time = timeOf(options)
      if (time === undefined) return all
      const late = said`the call was not sent, because its time was over before the server gave its lists${
        program(" (timeout)")
      }`
      return Effect.flatMap(
        this.#parts.state.before(this.#parts.state.now() + time, all),
        Option.match({ onNone: () => Effect.fail(unavailable(this.#parts.state, late)), onSome: Effect.succeed })
      )
    })
  }

  get isConnected(): Backend["isConnected"] {
    return Effect.sync(() => this.#parts.state.published.value.state._tag === "Connected")
  }

  get isHealthy(): Backend["isHealthy"] {
    return (threshold = Health.threshold) =>
      Effect.sync(() => Health.score(this.#parts.state.published.value.history) >= threshold)
  }

  get healthCheck(): Backend["healthCheck"] {
    const { calls, status } = this
    const { state } = this.#parts
    return Effect.gen(function*() {
      const startedAt = state.now()
      const result = yield* Effect.either(Calls.probe(calls))
      const latency = Either.isRight(result) ? state.now() - startedAt : undefined
      return { status: yield* status, latency, error: Either.isLeft(result) ? result.left : undefined }
    })
  }

  /** Nobody may interrupt the result before it begins. */
  enter<A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.ensuring(call, Effect.sync(this.#parts.state.entering()))
  }

  leaveTo(successor: BackendHandle): void {
    this.#successor = successor
    Calls.leaveTo(this.calls, successor.calls)
  }

  /** On the next connection where one was lost, if it did not happen or may happen twice. Of `options`, those about waiting count. */
  #withConnection<A>(
    method: string,
    options: CallOptions | undefined,
    use: (runtime: Runtime) => Effect.Effect<A, RequestError>,
    onward: (successor: BackendHandle, options: CallOptions) => Effect.Effect<A, CallError>
  ): Effect.Effect<A, CallError> {
    const { state, supervisor: { calls } } = this.#parts
    return Effect.suspend(() => {
      const { request, wait: usual } = state.policy.timeouts
      const wait = millis(options?.wait, usual)
      const begunAt = state.now()
      const deadline = begunAt + Math.max(request, wait)
      let waitEnd = begunAt + wait
      const on = (lost: Runtime | undefined): Effect.Effect<A, CallError> =>
        Effect.suspend(() => {
          const { current: runtime, hasSuccessor } = state.published.value
          if (runtime === undefined && hasSuccessor) {
            const successor = this.#successor
            return successor === undefined
              ? Effect.fail(unavailable(state, said`the call was not sent`))
              : onward(successor, { ...options, wait: Math.max(0, waitEnd - state.now()) })
          }
          if (runtime === undefined || runtime === lost) {
            return Effect.zipRight(
              Waiting.until(
                calls,
                { begunAt, deadline, end: waitEnd, isChosen: options?.wait !== undefined },
                lost,
                options?.failFast
              ),
              on(undefined)
            )
          }
          waitEnd = state.now() + wait
          return Effect.catchAll(use(runtime), (error) => {
            const harmless = error.fate !== "unknown" || isRead(method)
            return isLost(error) && harmless && state.now() < deadline
              ? on(runtime)
              : fail(calls, error, method, runtime, request)
          })
        })
      return on(undefined)
    })
  }

  /** No call is on the connection or about to lease it. */
  unused(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { entered, published } = this.#parts.state
      const slot = published.value
      const runtime = slot.current
      const used = runtime !== undefined && runtime.traffic.inFlight > 0 ? runtime.drained : runtime && entered
      return used === undefined
        ? Effect.void
        : Effect.zipRight(firstOf(used, published.until(({ current }) => current !== runtime)), this.unused())
    })
  }

  get reconnect(): Backend["reconnect"] {
    return this.#parts.supervisor.command("Reconnect")
  }

  get enable(): Backend["enable"] {
    return this.#parts.supervisor.command("Enable")
  }

  get disable(): Backend["disable"] {
    return Effect.ignore(this.#parts.supervisor.command("Disable"))
  }

  get disconnect(): Backend["disconnect"] {
    return Effect.ignore(this.#parts.supervisor.command("Disconnect"))
  }

  get firstOutcome(): Backend["firstOutcome"] {
    return this.#parts.state.firstOutcome.completed
  }

  get extension(): Backend["extension"] {
    return (tag) => Context.getOption(this.#parts.extensions.services, tag)
  }

  get keepalive(): Backend["keepalive"] {
    const { keepalive } = this.#parts.supervisor.tasks
    return { pause: Heartbeats.pause(keepalive), resume: Heartbeats.resume(keepalive) }
  }

  get request(): Backend["request"] {
    const { calls } = this.#parts.supervisor
    return (method, params, options) => Calls.request(calls, method, params, options)
  }

  start<M extends Method>(
    method: M,
    params: Params<M>,
    options: CallOptions | undefined,
    next: (rest: Effect.Effect<Result<M>, CallError>) => void
  ): Calls.StartedCall {
    return Calls.start(this.calls, method, params, options, next)
  }

  get calls(): Calls.Calls {
    return this.#parts.supervisor.calls
  }

  get notify(): Backend["notify"] {
    return (method, params) => this.#notify(method, params)
  }

  #notify(
    ...[method, params, options]: [...Parameters<Backend["notify"]>, CallOptions?]
  ): Effect.Effect<void, CallError> {
    const { id, offered, policy: { timeouts: { request } } } = this.#parts.state
    // A server may carry out a request although it comes as a notification.
    return offered.refusal(id, method, params) !== undefined ? Effect.void : this.#withConnection(
      method,
      options,
      ({ connection }) => withDeadline(Effect.suspend(() => connection.notify(method, params)), request),
      (to, rest) => to.#notify(method, params, rest)
    )
  }

  #asking<M extends Method>(method: M) {
    const { request } = this
    return (params: Params<M>, options?: CallOptions) => request(method, params, options)
  }

  get callTool(): Backend["callTool"] {
    return this.#asking("tools/call")
  }

  get listTools(): Backend["listTools"] {
    return this.#asking("tools/list")
  }

  get listPrompts(): Backend["listPrompts"] {
    return this.#asking("prompts/list")
  }

  get getPrompt(): Backend["getPrompt"] {
    return this.#asking("prompts/get")
  }

  get listResources(): Backend["listResources"] {
    return this.#asking("resources/list")
  }

  get listResourceTemplates(): Backend["listResourceTemplates"] {
    return this.#asking("resources/templates/list")
  }

  get readResource(): Backend["readResource"] {
    return this.#asking("resources/read")
  }

  get complete(): Backend["complete"] {
    return this.#asking("completion/complete")
  }

  get subscribeResource(): Backend["subscribeResource"] {
    const { request } = this
    return (uri, options) => Effect.asVoid(request("resources/subscribe", { uri }, options))
  }

  get unsubscribeResource(): Backend["unsubscribeResource"] {
    const { request } = this
    return (uri, options) => Effect.asVoid(request("resources/unsubscribe", { uri }, options))
  }

  get setLoggingLevel(): Backend["setLoggingLevel"] {
    const { request } = this
    return (level, options) => Effect.asVoid(request("logging/setLevel", { level }, options))
  }

  get ping(): Backend["ping"] {
    const { request } = this
    return (options) => Effect.asVoid(request("ping", undefined, options))
  }
}
