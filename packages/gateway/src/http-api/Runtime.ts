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

const urgency = (state: ShownState): number => urgent.indexOf(state)

export class Runtime {
  /** Counted for each server from 1. */
  readonly number: number
  /** Its group of clients, which has more than one runtime only while one replaces another. */
  readonly group: object
  #state: State
  #since: number
  #generation = 0
  #reason: ConnectReason | undefined
  #isDown = false
  #usage: ResourceUsage | undefined
  #keepalive: Pick<Status["keepalive"], "reason" | "state"> | undefined
  healthScore = 1

  constructor(number: number, group: object, { clock, state }: Telemetry.Observed) {
    this.number = number
    this.group = group
    this.#state = state
    this.#since = clock.unsafeCurrentTimeMillis()
  }

  take(event: Event.Event): void {
    switch (event._tag) {
      case "StateChanged":
        if (event.to === this.#state) return
        this.#state = event.to
        this.#since = event.at
        if (event.to !== "Connected") this.#usage = undefined
        return
      case "AttemptFailed":
        this.#reason = event.error.reason
        this.#isDown = true
        return
      case "RuntimeLost":
        this.#reason = undefined
        this.#isDown = true
        return
      case "KeepaliveChanged":
        this.#keepalive = event
        return
      case "Installed":
        this.#generation = event.generation
        this.#reason = undefined
        this.#isDown = false
    }
  }

  /** A connection may drain beside the next one. */
  measured(generation: number, usage: ResourceUsage): void {
    if (this.#state === "Connected" && generation === this.#generation) this.#usage = usage
  }

  get usage(): ResourceUsage | undefined {
    return this.#usage
  }

  /** `undefined` before its first connection. */
  get keepalive(): Pick<Status["keepalive"], "reason" | "state"> | undefined {
    return this.#keepalive
  }

  get state(): State {
    return this.#state
  }

  /** In milliseconds since 1970. */
  get since(): number {
    return this.#since
  }

  get generation(): number {
    return this.#generation
  }

  /** Of the last attempt, unless a connection was made or lost since. */
  get reason(): ConnectReason | undefined {
    return this.#reason
  }

  /** The lower, the more urgent. A new attempt counts like the pause before it, unless it is the first. */
  get rank(): number {
    return urgency(this.#state === "Connecting" && this.#isDown ? "Reconnecting" : this.#state)
  }
}

/** Of each group, the runtime that serves it, or else its last one; of these, the most urgent one. */
export const leading = (runtimes: ReadonlyArray<Runtime>): Runtime | undefined => {
  const serving = new Map<object, Runtime>()
  for (const one of runtimes) if (serving.get(one.group)?.state !== "Connected") serving.set(one.group, one)
  return [...serving.values()].reduce<Runtime | undefined>(
    (first, one) => first === undefined || one.rank < first.rank ? one : first,
    undefined
  )
}
