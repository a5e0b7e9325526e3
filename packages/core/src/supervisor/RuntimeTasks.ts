/** What goes on beside the requests of a connection. */
import { Effect, Layer, Predicate, type Schedule } from "effect"
import * as Discovery from "../discovery/Discovery.js"
import * as Refresh from "../discovery/Refresh.js"
import { Examiner } from "../health/Examiner.js"
import * as Keepalive from "../health/Keepalive.js"
import { Probe } from "../health/Probe.js"
import { Question } from "../health/Question.js"
import { QuietCalls } from "../health/QuietCalls.js"
import { schedule } from "../health/schedule.js"
import { SessionDoubt } from "../health/SessionDoubt.js"
import type { Found } from "../options/BackendOptions.js"
import type { Loss } from "../port/Loss.js"
import type { Report, ServerNotification } from "../port/Report.js"
import type { UsageLimit } from "../port/ResourceUsage.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"

export interface RuntimeTasks {
  readonly backend: BackendState
  readonly keepalive: Keepalive.Keepalive
  readonly probe: Probe
  readonly doubt: SessionDoubt
  readonly quietCalls: QuietCalls
  readonly refresh: Refresh.Refresh
  readonly limit: UsageLimit | undefined
}

export const make = (
  backend: BackendState,
  limit: UsageLimit | undefined,
  given?: Schedule.Schedule<unknown, Found>
): RuntimeTasks => {
  const question = new Question(backend)
  const examiner = new Examiner(backend)
  const probe = new Probe(backend, examiner, question)
  const doubt = new SessionDoubt(backend, question, examiner)
  return {
    backend,
    keepalive: Keepalive.make({ backend, question, probe, doubt, schedule: given ?? schedule(backend.fleetStartedAt) }),
    probe,
    doubt,
    quietCalls: new QuietCalls(backend, probe, examiner, doubt),
    refresh: Refresh.make(backend, probe, doubt),
    limit
  }
}

/** Of one connection, built once it is in the slot; its scope closes at the detach. */
export const layer = (self: RuntimeTasks, runtime: Runtime): Layer.Layer<never> =>
  Layer.scopedDiscard(Effect.suspend(() => {
    const { backend, doubt, keepalive, limit, quietCalls, refresh } = self
    const { policy: { lifecycle: { idleRelease } }, temperament } = backend
    temperament.meets(runtime.connection.serverInfo)
    if (runtime.startTook !== undefined) temperament.started(runtime.startTook)
    const rest = Effect.suspend(() => {
      backend.safely("the connector's usageLimit", () => limit?.begin())
      tellUsage(self, runtime)
      quietCalls.attach(runtime)
      return idleRelease === undefined ? Effect.void : Effect.forkScoped(watchIdle(backend, runtime, idleRelease))
    })
    return Effect.all([
      Refresh.attach(refresh, runtime),
      doubt.attach(runtime), // guard: successor-is-asked
      Keepalive.attach(keepalive, runtime),
      rest
    ], { discard: true })
  }))

/** And again each time it stays so. (L18) */
const watchIdle = (backend: BackendState, runtime: Runtime, idleRelease: number): Effect.Effect<never> =>
  Effect.interruptible(Effect.forever(Effect.suspend(() => {
    const remaining = runtime.inFlight > 0 ? idleRelease : runtime.usedAt + idleRelease - backend.now()
    if (remaining > 0) return Effect.sleep(remaining)
    backend.send({ _tag: "Unused", runtime })
    return Effect.sleep(idleRelease)
  })))

/** Returns the loss that replaces the runtime; none while a new connection is being made. (S13) */
export const judged = ({ backend, limit }: RuntimeTasks, runtime: Runtime): Loss | undefined => {
  const { generation, usage } = runtime
  const { current, state } = backend.published.value
  if (limit === undefined || usage === undefined || current !== runtime) return undefined
  if (state._tag === "Connected" && state.replacing) return undefined
  const verdict = limit.measured(usage, backend.now())
  if (verdict._tag === "Restart") return { kind: "memory", message: verdict.message }
  if (verdict._tag === "Fine") return undefined
  const { message, nextRestartAt } = verdict
  const measured = { memory: usage.memory, limit: limit.status.bytes }
  backend.emit({ _tag: "MemoryHigh", generation, ...measured, message, nextRestartAt })
  return undefined
}

export const reported = (
  self: RuntimeTasks,
  runtime: Runtime,
  report: Exclude<Report, { readonly _tag: "Attempt" }>
): void => {
  const { backend, refresh } = self
  if (report._tag === "Usage") {
    if (!(report.usage.memory >= 0)) return
    runtime.usage = report.usage
    return runtime.installed ? tellUsage(self, runtime) : undefined
  }
  if (runtime.detached) return
  switch (report._tag) {
    case "Notification":
      return notified(self, runtime, report.notification)
    case "Hearing":
      runtime.unannounced = report.hearing.unannounced
      Refresh.announced(refresh, runtime, report.hearing.announced)
      return backend.send({ _tag: "ListsChanged", runtime })
    case "Doubt":
      return backend.policy.keepalive.method === "none" ? undefined : backend.send({ _tag: "Suspected", runtime })
  }
}

const tellUsage = ({ backend, limit }: RuntimeTasks, runtime: Runtime): void => {
  const { generation, usage } = runtime
  if (usage === undefined) return
  backend.update((slot) => slot.current === runtime ? { ...slot, usage } : slot)
  backend.telemetry?.usage?.(generation, usage)
  if (limit !== undefined) backend.send({ _tag: "Measured", runtime })
}

export const used = ({ backend, quietCalls }: RuntimeTasks, runtime: Runtime): Effect.Effect<void> =>
  backend.isCurrent(runtime) ? quietCalls.begin(runtime) : Effect.void

const notified = ({ backend, refresh }: RuntimeTasks, runtime: Runtime, notification: ServerNotification): void => {
  if (!Predicate.isRecord(notification)) return
  if (backend.offered.passes(notification)) backend.notifications.emit(notification)
  const kinds = Discovery.changedBy(notification.method)
  if (kinds.length > 0 && Refresh.announced(refresh, runtime, kinds)) backend.send({ _tag: "ListsChanged", runtime })
}
