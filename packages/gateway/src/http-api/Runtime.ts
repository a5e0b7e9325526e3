/**
 * People and the API call a backend of a server, over all of its connections, a runtime.
 */
import type { ConnectReason, Event, ResourceUsage, Status, Telemetry } from "@mcp-lifeline/core"
import type { ShownState } from "../log/shownState.js"

type State = Status["state"]

/** The most urgent for an operator first. */
const urgent: ReadonlyArray<ShownState> = [
  "PermanentlyFailed",
  "SignInNeeded",
  "Dormant",
  "Reconnecting",
  "Connected",
  "Connecting",
  "Disconnected",
  "Idle",
  "Disabling",
  "Disabled",
  "Closed"
]

export interface Runtime {
  /** Counted for each server from 1. */
  readonly number: number
  /** Its group of clients, which has more than one runtime only while one replaces another. */
  readonly group: object
  readonly state: State
  /** In milliseconds since 1970. */
  readonly since: number
  readonly generation: number
  /** Of the last attempt, unless a connection was made or lost since. */
  readonly reason?: ConnectReason | undefined
  readonly isDown: boolean
  readonly usage?: ResourceUsage | undefined
  /** `undefined` before its first connection. */
  readonly keepalive?: Pick<Status["keepalive"], "reason" | "state"> | undefined
  readonly healthScore: number
}

export const begun = (number: number, group: object, { clock, state }: Telemetry.Observed): Runtime => ({
  number,
  group,
  state,
  since: clock.unsafeCurrentTimeMillis(),
  generation: 0,
  isDown: false,
  healthScore: 1
})

export const after = (self: Runtime, event: Event.Event): Runtime => {
  switch (event._tag) {
    case "StateChanged": {
      const { at: since, to: state } = event
      return state === self.state
        ? self
        : { ...self, state, since, usage: state === "Connected" ? self.usage : undefined }
    }
    case "AttemptFailed":
      return { ...self, reason: event.error.reason, isDown: true }
    case "RuntimeLost":
      return { ...self, reason: undefined, isDown: true }
    case "KeepaliveChanged":
      return { ...self, keepalive: event }
    case "Installed":
      return { ...self, generation: event.generation, reason: undefined, isDown: false }
    default:
      return self
  }
}

/** A connection may drain beside the next one. */
export const measured = (self: Runtime, generation: number, usage: ResourceUsage): Runtime =>
  self.state === "Connected" && generation === self.generation ? { ...self, usage } : self

/** The lower, the more urgent. A new attempt counts like the pause before it, unless it is the first. */
const urgency = ({ isDown, state }: Runtime): number =>
  urgent.indexOf(state === "Connecting" && isDown ? "Reconnecting" : state)

/** Of each group, the runtime that serves it, or else its last one; of these, the most urgent one. */
export const leading = (runtimes: ReadonlyArray<Runtime>): Runtime | undefined => {
  const serving = new Map<object, Runtime>()
  for (const one of runtimes) if (serving.get(one.group)?.state !== "Connected") serving.set(one.group, one)
  return [...serving.values()].reduce<Runtime | undefined>(
    (first, one) => first === undefined || urgency(one) < urgency(first) ? one : first,
    undefined
  )
}
