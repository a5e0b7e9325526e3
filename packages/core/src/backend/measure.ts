/** What telemetry throws stops neither the backend nor a call. */
import type { CallObserver, Observer, Telemetry } from "../observe/Telemetry.js"
import type { Connector } from "../port/Connector.js"
import type { BackendState } from "../state/BackendState.js"

/** Before anything happens to the backend. */
export const measure = (state: BackendState, { transport }: Connector, telemetry: Telemetry): void => {
  const { published, clock, id } = state
  const safely: Safely = (run) => state.safely("telemetry", run)
  safely(() => {
    const observer = telemetry.observe({
      id,
      transport,
      state: published.value.state._tag,
      clock,
      connection: () => published.value.current?.connection
    })
    state.telemetry = guarded(observer, safely)
    state.events.listen(state.telemetry.event)
  })
}

type Safely = <A>(run: () => A) => A | undefined

const guarded = (observer: Observer, safely: Safely): Observer => ({
  hasSpans: observer.hasSpans,
  event: (event) => safely(() => observer.event(event)),
  beat: (sent, failure, millis) => safely(() => observer.beat(sent, failure, millis)),
  breakerOpened: (method, reason) => safely(() => observer.breakerOpened(method, reason)),
  health: observer.health && ((score) => safely(() => observer.health?.(score))),
  usage: observer.usage && ((generation, usage) => safely(() => observer.usage?.(generation, usage))),
  call: (method, params, parent) => {
    const call = safely(() => observer.call(method, params, parent))
    return call === undefined ? unmeasured : {
      attempt: (on) =>
        safely<ReturnType<typeof call.attempt>>(() => {
          const attempt = call.attempt(on)
          if (attempt === undefined) return undefined
          const { params, span } = attempt
          return { params, span, end: (exit) => safely(() => attempt.end(exit)) }
        }),
      end: (exit) => safely(() => call.end(exit))
    }
  }
})

const unmeasured: CallObserver<never> = { attempt: () => undefined, end: () => {} }
