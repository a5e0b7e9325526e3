import { Effect, Predicate } from "effect"
import * as Discovery from "../discovery/Discovery.js"
import * as Refresh from "../discovery/Refresh.js"
import { Examiner } from "../health/Examiner.js"
import { Keepalive } from "../health/Keepalive.js"
import { KeepaliveState } from "../health/KeepaliveState.js"
import { Probe } from "../health/Probe.js"
import { Question } from "../health/Question.js"
import { QuietCalls } from "../health/QuietCalls.js"
import { SessionDoubt } from "../health/SessionDoubt.js"
import type { Loss } from "../port/Loss.js"
import type { Report, ServerNotification } from "../port/Report.js"
import type { ResourceUsage, UsageLimit } from "../port/ResourceUsage.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"

export class RuntimeTasks {
  readonly keepalive: Keepalive
  readonly probe: Probe
  readonly doubt: SessionDoubt
  readonly refresh: Refresh.Refresh
  readonly limit: UsageLimit | undefined
  readonly #quietCalls: QuietCalls
  readonly #backend: BackendState

  constructor(backend: BackendState, limit: UsageLimit | undefined) {
    this.#backend = backend
    const question = new Question(backend)
    const state = new KeepaliveState()
    const examiner = new Examiner(backend)
    const probe = this.probe = new Probe(backend, examiner, question, state)
    const doubt = this.doubt = new SessionDoubt(backend, question, examiner)
    this.#quietCalls = new QuietCalls(backend, probe, examiner, doubt)
    this.keepalive = new Keepalive({ backend, question, probe, doubt, state })
    this.refresh = Refresh.make(backend, probe, doubt)
    this.limit = limit
  }

  /** Interrupted at the detach. A Layer would cost 7 KB more a backend. */
  attach(runtime: Runtime): Effect.Effect<void> {
    const { idleRelease } = this.#backend.policy.lifecycle
    const { temperament } = this.#backend
    return Effect.gen(this, function*() {
      temperament.meets(runtime.connection.serverInfo)
      if (runtime.startTook !== undefined) temperament.started(runtime.startTook)
      yield* Refresh.attach(this.refresh, runtime)
      yield* this.doubt.attach(runtime) // guard: successor-is-asked
      yield* this.keepalive.attach(runtime)
      this.#backend.safely("the connector's usageLimit", () => this.limit?.begin())
      this.#tellUsage(runtime)
      this.#quietCalls.attach(runtime)
      if (idleRelease === undefined) return
      const unused = () => this.#backend.send({ _tag: "Unused", runtime })
      yield* runtime.fork(watchIdle(runtime, idleRelease, () => this.#backend.now(), unused))
    })
  }

  /** Returns the loss that replaces the runtime; none while a new connection is being made. (S13) */
  judged(runtime: Runtime): Loss | undefined {
    const { limit } = this
    const { generation, usage } = runtime
    const backend = this.#backend
    const { state } = backend.published.value
    if (limit === undefined || usage === undefined || !backend.isCurrent(runtime)) return undefined
    if (state._tag === "Connected" && state.replacing) return undefined
    const verdict = limit.measured(usage, backend.now())
    if (verdict._tag === "Restart") return { kind: "memory", message: verdict.message }
    if (verdict._tag === "Fine") return undefined
    const { message, nextRestartAt } = verdict
    const measured = { memory: usage.memory, limit: limit.status.bytes }
    backend.emit({ _tag: "MemoryHigh", generation, ...measured, message, nextRestartAt })
    return undefined
  }

  reported(runtime: Runtime, report: Exclude<Report, { _tag: "Attempt" }>): void {
    const backend = this.#backend
    if (report._tag === "Usage") return this.#measured(runtime, report.usage)
    if (runtime.detached) return
    switch (report._tag) {
      case "Notification":
        return this.#notified(runtime, report.notification)
      case "Hearing":
        runtime.unannounced = report.hearing.unannounced
        Refresh.announced(this.refresh, runtime, report.hearing.announced)
        return backend.send({ _tag: "ListsChanged", runtime })
      case "Doubt":
        return backend.policy.keepalive.method === "none" ? undefined : backend.send({ _tag: "Suspected", runtime })
    }
  }

  #measured(runtime: Runtime, usage: ResourceUsage): void {
    if (!(usage.memory >= 0)) return
    runtime.usage = usage
    if (runtime.installed) this.#tellUsage(runtime)
  }

  #tellUsage(runtime: Runtime): void {
    const { generation, usage } = runtime
    if (usage === undefined) return
    this.#backend.telemetry?.usage?.(generation, usage)
    if (this.limit !== undefined) this.#backend.send({ _tag: "Measured", runtime })
  }

  used(runtime: Runtime): Effect.Effect<void> {
    const { current } = this.#backend.published.value
    return current === runtime ? this.#quietCalls.begin(current) : Effect.void
  }

  #notified(runtime: Runtime, notification: ServerNotification): void {
    if (!Predicate.isRecord(notification)) return
    if (this.#backend.offered.passes(notification)) this.#backend.notifications.emit(notification)
    const kinds = Discovery.changedBy(notification.method)
    if (kinds.length > 0 && Refresh.announced(this.refresh, runtime, kinds)) {
      this.#backend.send({ _tag: "ListsChanged", runtime })
    }
  }
}

/** And again each time it stays so. (L18) */
const watchIdle = (
  runtime: Runtime,
  idleRelease: number,
  now: () => number,
  unused: () => void
): Effect.Effect<never> =>
  Effect.forever(Effect.suspend(() => {
    const remaining = runtime.inFlight > 0 ? idleRelease : runtime.usedAt + idleRelease - now()
    if (remaining > 0) return Effect.sleep(remaining)
    unused()
    return Effect.sleep(idleRelease)
  }))
