/**
 * What works for the installed runtime of a backend: keepalive, the reading of lists, probes and the idle timer.
 */
import { Effect } from "effect"
import * as Discovery from "../catalog/Discovery.js"
import { Refresh } from "../catalog/Refresh.js"
import { Probe } from "../health/Probe.js"
import { Keepalive } from "../keepalive/Keepalive.js"
import type { BackendState, Installed } from "../lifecycle/BackendState.js"
import type { Loss } from "../port/Connection.js"
import type { ServerNotification } from "../port/Connector.js"
import { watchIdle } from "./idle.js"
import type { Runtime } from "./Runtime.js"

/** What the tasks report to the supervisor. */
export interface Reports {
  readonly lost: (runtime: Runtime, loss: Loss) => void
  readonly unused: (runtime: Runtime) => void
  /** Lists have changed, and `readChanged` is to be called. */
  readonly listsChanged: (runtime: Runtime) => void
  /** There is a first catalogue, or it is known that there is none yet. */
  readonly firstOutcome: () => void
}

/** Begins with each installed runtime, and ends with it. */
export class RuntimeTasks {
  readonly keepalive: Keepalive
  readonly probe: Probe
  readonly refresh: Refresh
  readonly #backend: BackendState
  readonly #reports: Reports

  constructor(backend: BackendState, reports: Reports) {
    this.#backend = backend
    this.#reports = reports
    this.keepalive = new Keepalive(backend, reports.lost)
    this.probe = new Probe(backend, reports.lost)
    this.refresh = new Refresh(backend, {
      firstOutcome: reports.firstOutcome,
      failed: (runtime, error) => this.probe.countFailure(runtime, "discovery", error)
    })
  }

  /** Begins for a runtime that has just been installed; all of it is interrupted at the detach. */
  attach(installed: Installed): Effect.Effect<void> {
    const { runtime } = installed
    const { idleRelease } = this.#backend.policy.lifecycle
    return Effect.gen(this, function*() {
      yield* this.refresh.attach(runtime)
      yield* this.keepalive.attach(installed)
      if (idleRelease === undefined) return
      const unused = () => this.#reports.unused(runtime)
      yield* runtime.fork(watchIdle(runtime, idleRelease, () => this.#backend.now(), unused))
    })
  }

  /** Hands on a notification of the server, and notes what it says of lists. */
  notified(runtime: Runtime, notification: ServerNotification): void {
    if (runtime.detached) return
    this.#backend.notifications.emit(notification)
    const kinds = Discovery.changedBy(notification.method)
    if (kinds.length > 0 && this.refresh.noteChanged(runtime, kinds)) this.#reports.listsChanged(runtime)
  }
}
