/**
 * Lets telemetry measure a backend. What it throws is reported to the backend, and stops neither that nor a call.
 */
import { Cause, Effect, Exit } from "effect"
import type { CallError } from "../Errors.js"
import type { BackendState } from "../lifecycle/BackendState.js"
import type { Connector } from "../port/Connector.js"
import type { Method, Params } from "../port/Method.js"
import type { CallObserver, Observer, Telemetry } from "./Telemetry.js"

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
    call: <M extends Method, A>(
      method: M,
      params: Params<M>,
      run: (call: CallObserver<M>) => Effect.Effect<A, CallError>
    ) =>
      surviving<CallObserver<M>, A, CallError>(
        (work) => observer.call(method, params, work),
        (call) =>
          run({
            attempt: (on, send) => surviving((work) => call.attempt(on, work), send, params, report)
          }),
        { attempt: (_, send) => send(params) },
        report
      )
  }
}

/**
 * Has work measured that is to be done once, whatever becomes of the measuring: where that dies, what the work came to counts, and
 * work that was not begun is done without.
 */
const surviving = <I, A, E>(
  measure: (work: (given: I) => Effect.Effect<A, E>) => Effect.Effect<A, E>,
  work: (given: I) => Effect.Effect<A, E>,
  unmeasured: I,
  report: (defect: unknown) => void
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    let begun = false
    let ended: Exit.Exit<A, E> | undefined
    const counted = (given: I): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        begun = true
        return Effect.onExit(work(given), (exit) =>
          Effect.sync(() => {
            ended = exit
          }))
      })
    return Effect.catchAllDefect(Effect.suspend(() => measure(counted)), (defect) => {
      const itsOwn = ended !== undefined && Exit.isFailure(ended) && Cause.isDie(ended.cause)
      if (!itsOwn) report(defect)
      return ended ?? (begun ? Effect.die(defect) : work(unmeasured))
    })
  })
