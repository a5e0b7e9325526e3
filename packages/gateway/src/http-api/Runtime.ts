/**
 * People and the API call a backend of a server, over all of its connections, a runtime.
 */
import type { ConnectReason, Event, ResourceUsage, Status } from "@mcp-lifeline/core"
import type { ShownState } from "../log/shownState.js"

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
  readonly state: Status["state"]
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

export const after = (runtime: Runtime, event: Event.Event): Runtime => {
  switch (event._tag) {
    case "StateChanged": {
      if (event.to === runtime.state) return runtime
      const usage = event.to === "Connected" ? runtime.usage : undefined
      return { ...runtime, state: event.to, since: event.at, usage }
    }
    case "AttemptFailed":
      return { ...runtime, reason: event.error.reason, isDown: true }
    case "RuntimeLost":
      return { ...runtime, reason: undefined, isDown: true }
    case "KeepaliveChanged":
      return { ...runtime, keepalive: event }
    case "Installed":
      return { ...runtime, generation: event.generation, reason: undefined, isDown: false }
    default:
      return runtime
  }
}

/** A connection may drain beside the next one. */
export const measured = (runtime: Runtime, generation: number, usage: ResourceUsage): Runtime =>
  runtime.state === "Connected" && generation === runtime.generation ? { ...runtime, usage } : runtime

/** The lower, the more urgent. A new attempt counts like the pause before it, unless it is the first. */
const rank = ({ isDown, state }: Runtime): number =>
  urgent.indexOf(state === "Connecting" && isDown ? "Reconnecting" : state)

/** Of each group, the runtime that serves it, or else its last one; of these, the most urgent one. */
export const leading = (runtimes: ReadonlyArray<Runtime>): Runtime | undefined => {
  const serving = new Map<object, Runtime>()
  for (const one of runtimes) if (serving.get(one.group)?.state !== "Connected") serving.set(one.group, one)
  return [...serving.values()].toSorted((one, other) => rank(one) - rank(other))[0]
}
