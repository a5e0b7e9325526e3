/**
 * The record of one backend of a server, over all of its connections, and which of several represents the server. People and the API call
 * such a backend a runtime of the server.
 */
import type { ConnectReason, Event, ResourceUsage, Status, Telemetry } from "@mcp-lifeline/core"

import type { ShownState } from "./shownState.js"

type State = Status["state"]

/** The states in the order of their importance for an operator, the most urgent first. */
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

/** The lower, the more important for an operator. */
export const urgency = (state: ShownState): number => urgent.indexOf(state)

/** The recorded state of one of them. */
export class Runtime {
  /** Counted for each server from 1, in the order in which its runtimes were made. */
  readonly number: number
  /** The group of clients that it belongs to. A group has more than one runtime only while one replaces another. */
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

  /** The processes of a connection were measured, which may drain beside the next one. */
  measured(generation: number, usage: ResourceUsage): void {
    if (this.#state === "Connected" && generation === this.#generation) this.#usage = usage
  }

  /** What the processes of its connection use, as measured last. */
  get usage(): ResourceUsage | undefined {
    return this.#usage
  }

  /** Whether heartbeats are sent; `undefined` before its first connection. */
  get keepalive(): Pick<Status["keepalive"], "reason" | "state"> | undefined {
    return this.#keepalive
  }

  get state(): State {
    return this.#state
  }

  /** From when on it is in that state, in milliseconds since 1970. */
  get since(): number {
    return this.#since
  }

  /** The number of its connection; 0 before the first. */
  get generation(): number {
    return this.#generation
  }

  /** Why the last attempt failed, unless a connection was made or lost since. */
  get reason(): ConnectReason | undefined {
    return this.#reason
  }

  /** The lower, the more important for an operator. A new attempt counts like the pause before it, unless it is the first attempt. */
  get rank(): number {
    return urgency(this.#state === "Connecting" && this.#isDown ? "Reconnecting" : this.#state)
  }
}

/**
 * The runtime that represents a server: of each group of clients, take the runtime that serves it, or else the last one; of these, take the
 * most important one for an operator.
 */
export const leading = (runtimes: ReadonlyArray<Runtime>): Runtime | undefined => {
  const serving = new Map<object, Runtime>()
  for (const one of runtimes) if (serving.get(one.group)?.state !== "Connected") serving.set(one.group, one)
  return [...serving.values()].reduce<Runtime | undefined>(
    (first, one) => first === undefined || one.rank < first.rank ? one : first,
    undefined
  )
}
