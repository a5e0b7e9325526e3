/**
 * What works for the installed runtime of a backend: keepalive, the reading of lists, probes and the idle timer.
 */
import { Effect } from "effect"
import * as Discovery from "../catalog/Discovery.js"
import { Refresh } from "../catalog/Refresh.js"
import { Probe } from "../health/Probe.js"
import { SessionDoubt } from "../health/SessionDoubt.js"
import { Keepalive } from "../keepalive/Keepalive.js"
import type { BackendState } from "../lifecycle/BackendState.js"
import type { Hearing, ServerNotification } from "../port/Connector.js"
import { watchIdle } from "./idle.js"
import type { Installed } from "./Installed.js"
import type { Runtime } from "./Runtime.js"

/** Begins with each installed runtime, and ends with it. */
export class RuntimeTasks {
  readonly keepalive: Keepalive
  readonly probe: Probe
  readonly doubt: SessionDoubt
  readonly refresh: Refresh
  readonly #backend: BackendState

  constructor(backend: BackendState) {
    this.#backend = backend
    this.probe = new Probe(backend)
    this.doubt = new SessionDoubt(backend)
    this.keepalive = new Keepalive(backend, this.doubt)
    this.refresh = new Refresh(backend, this.probe, this.doubt)
  }

  /** Begins for a runtime that has just been installed; all of it is interrupted at the detach. */
  attach(installed: Installed): Effect.Effect<void> {
    const { runtime } = installed
    const { idleRelease } = this.#backend.policy.lifecycle
    return Effect.gen(this, function*() {
      yield* this.refresh.attach(runtime)
      yield* this.doubt.attach(installed) // guard: successor-is-asked
      yield* this.keepalive.attach(installed)
      if (idleRelease === undefined) return
      const unused = () => this.#backend.send({ _tag: "Unused", runtime })
      yield* runtime.fork(watchIdle(runtime, idleRelease, () => this.#backend.now(), unused))
    })
  }

  /** Notes of which lists the connection hears that they have changed. */
  hears(runtime: Runtime, { announced, unannounced }: Hearing): void {
    if (runtime.detached) return
    runtime.hears(unannounced)
    this.refresh.announced(runtime, announced)
    this.#backend.send({ _tag: "ListsChanged", runtime })
  }

  /** Probes the server where the installed runtime is the one that is suspected. */
  suspected(runtime: Runtime): Effect.Effect<void> {
    return this.#backend.policy.keepalive.method === "none"
      ? Effect.void
      : Effect.asVoid(this.probe.onSuspicion(runtime))
  }

  /** Hands on a notification of the server, and notes what it says of lists. */
  notified(runtime: Runtime, notification: ServerNotification): void {
    if (runtime.detached) return
    this.#backend.notifications.emit(notification)
    const kinds = Discovery.changedBy(notification.method)
    if (kinds.length > 0 && this.refresh.announced(runtime, kinds)) {
      this.#backend.send({ _tag: "ListsChanged", runtime })
    }
  }
}
