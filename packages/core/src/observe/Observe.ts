/**
 * Lets telemetry measure a backend. What it throws is reported to the backend, and stops neither that nor a call.
 */
import type { BackendState } from "../lifecycle/BackendState.js"
import type { Connector } from "../port/Connector.js"
import type { Observer, Telemetry } from "./Telemetry.js"

/** Lets telemetry measure a backend, before anything happens to it. */
export const measure = (state: BackendState, { transport }: Connector, telemetry: Telemetry): void => {
  const { published, clock, id } = state
  const report = (defect: unknown) => state.reportDefect("telemetry", defect)
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
