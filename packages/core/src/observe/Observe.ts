/**
 * Lets others watch a backend. What they throw is reported to it, and stops neither the backend nor a call.
 */
import type { Snapshot } from "../catalog/Catalog.js"
import type { BackendState } from "../lifecycle/BackendState.js"
import type { Connector } from "../port/Connector.js"
import type { Event } from "./Event.js"
import type { Observer, Telemetry } from "./Telemetry.js"

/** Watches one backend. Called synchronously, in order; what it throws is logged and ignored. */
export interface BackendObserver {
  readonly changed: () => void
  readonly catalogChanged: (snapshot: Snapshot | undefined) => void
  readonly event: (event: Event) => void
}

/** Tells an observer of each change and event from now on. */
export const watch = (state: BackendState, observer: BackendObserver): void => {
  const safely = guard((defect) => state.onDefect("the observer of the backend", defect))
  state.published.listen(() => safely(() => observer.changed()))
  state.events.listen((event) => {
    safely(() => observer.event(event))
    if (event._tag === "CatalogChanged") safely(() => observer.catalogChanged(state.published.value.snapshot))
  })
}

/** Lets telemetry measure a backend, before anything happens to it. */
export const measure = (state: BackendState, { transport }: Connector, telemetry: Telemetry): void => {
  const { published, clock, id } = state
  const report = (defect: unknown) => state.onDefect("telemetry", defect)
  const safely = guard(report)
  safely(() => {
    const observer = telemetry.observe({
      id,
      transport,
      state: published.value.state._tag,
      clock,
      connection: () => published.value.current?.connection
    })
    state.telemetry = guarded(observer, report)
    state.events.listen(state.telemetry.event)
  })
}

const guard = (report: (defect: unknown) => void) => (run: () => void): void => {
  try {
    run()
  } catch (defect) {
    report(defect) // guard: telemetry-throws
  }
}

/** The same observer; what it throws is reported, and a call whose measuring fails is made without. */
const guarded = (observer: Observer, report: (defect: unknown) => void): Observer => {
  const safely = guard(report)
  return {
    event: (event) => safely(() => observer.event(event)),
    beat: (sent, failure, millis) => safely(() => observer.beat(sent, failure, millis)),
    breakerOpened: (method, reason) => safely(() => observer.breakerOpened(method, reason)),
    call: (method, params, run) => {
      try {
        return observer.call(method, params, run)
      } catch (defect) {
        report(defect)
        return run({ attempt: (_, send) => send(params) })
      }
    }
  }
}
