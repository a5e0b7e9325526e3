/** What begins and ends with a connection (`layer`), and what its reports mean. */
import { Effect, Layer, Predicate, type Schedule } from "effect"
import * as Discovery from "../discovery/Discovery.js"
import * as Refresh from "../discovery/Refresh.js"
import * as Heartbeats from "../health/Heartbeats.js"
import * as Liveness from "../health/Liveness.js"
import * as QuietCalls from "../health/QuietCalls.js"
import { schedule } from "../health/schedule.js"
import * as SessionCheck from "../health/SessionCheck.js"
import type { Found } from "../options/BackendOptions.js"
import type { Loss } from "../port/Loss.js"
import type { Report, ServerNotification } from "../port/Report.js"
import type { UsageLimit } from "../port/ResourceUsage.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"

export interface RuntimeTasks {
  readonly backend: BackendState
  readonly keepalive: Heartbeats.Keepalive
  readonly liveness: Liveness.Liveness
  readonly refresh: Refresh.Refresh
  readonly limit: UsageLimit | undefined
}

export const make = (
  backend: BackendState,
  limit: UsageLimit | undefined,
  given?: Schedule.Schedule<unknown, Found>
): RuntimeTasks => {
  const liveness = Liveness.make(backend)
  return {
    backend,
    keepalive: Heartbeats.make(liveness, given ?? schedule(backend.fleetStartedAt)),
    liveness,
    refresh: Refresh.make(backend, liveness),
    limit
  }
}

/** Of one connection, built once it is in the slot; its scope closes at the detach. */
export const layer = (self: RuntimeTasks, runtime: Runtime): Layer.Layer<never> =>
  Layer.scopedDiscard(Effect.suspend(() => {
    const { backend, keepalive, limit, liveness, refresh } = self
    const { policy: { lifecycle: { idleRelease } }, temperament } = backend
    temperament.meets(runtime.connection.serverInfo)
    const { startTook } = runtime.known
    if (startTook !== undefined) temperament.started(startTook)
    const rest = Effect.suspend(() => {
      backend.safely("the connector's usageLimit", () => limit?.begin())
      tellUsage(self, runtime)
      QuietCalls.attach(liveness, runtime)
      return idleRelease === undefined ? Effect.void : Effect.forkScoped(watchIdle(backend, runtime, idleRelease))
    })
    return Effect.all([
      Refresh.attach(refresh, runtime),
      SessionCheck.attach(liveness, runtime), // guard: successor-is-asked
      Heartbeats.attach(keepalive, runtime),
      rest
    ], { discard: true })
  }))

const watchIdle = (backend: BackendState, runtime: Runtime, idleRelease: number): Effect.Effect<never> =>
  Effect.interruptible(Effect.forever(Effect.suspend(() => {
    const remaining = runtime.traffic.inFlight > 0 ? idleRelease : runtime.traffic.usedAt + idleRelease - backend.now()
    if (remaining > 0) return Effect.sleep(remaining)
    backend.send({ _tag: "Unused", runtime })
    return Effect.sleep(idleRelease)
  })))

/** Returns the loss that replaces the runtime; none while a new connection is being made. (S13) */
export const judged = ({ backend, limit }: RuntimeTasks, runtime: Runtime): Loss | undefined => {
  const { generation, known: { usage } } = runtime
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
    runtime.learn({ usage: report.usage })
    return runtime.installed ? tellUsage(self, runtime) : undefined
  }
  if (runtime.detached) return
  switch (report._tag) {
    case "Notification":
      return notified(self, runtime, report.notification)
    case "Hearing":
      runtime.learn({ unannounced: report.hearing.unannounced })
      Refresh.announced(refresh, runtime, report.hearing.announced)
      return backend.send({ _tag: "ListsChanged", runtime })
    case "Doubt":
      return backend.policy.keepalive.method === "none" ? undefined : backend.send({ _tag: "Suspected", runtime })
  }
}

const tellUsage = ({ backend, limit }: RuntimeTasks, runtime: Runtime): void => {
  const { generation, known: { usage } } = runtime
  if (usage === undefined) return
  backend.update((slot) => slot.current === runtime ? { ...slot, usage } : slot)
  backend.telemetry?.usage?.(generation, usage)
  if (limit !== undefined) backend.send({ _tag: "Measured", runtime })
}

export const used = ({ backend, liveness }: RuntimeTasks, runtime: Runtime): Effect.Effect<void> =>
  backend.isCurrent(runtime) ? QuietCalls.begin(liveness, runtime) : Effect.void

const notified = ({ backend, refresh }: RuntimeTasks, runtime: Runtime, notification: ServerNotification): void => {
  if (!Predicate.isRecord(notification)) return
  if (backend.offered.passes(notification)) backend.notifications.emit(notification)
  const kinds = Discovery.changedBy(notification.method)
  if (kinds.length > 0 && Refresh.announced(refresh, runtime, kinds)) backend.send({ _tag: "ListsChanged", runtime })
}
