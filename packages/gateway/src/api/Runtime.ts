/**
 * One runtime of a server, and which of several speaks for it.
 */
import type { ConnectReason, Event, Status, Telemetry } from "@mcp-lifeline/core"

type State = Status["state"]

/** The states of which an operator wants to know first, the most urgent one first. */
const urgent: ReadonlyArray<State> = [
  "PermanentlyFailed",
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

/** What is known of one runtime. */
export class Runtime {
  /** Counted for each server from 1, in the order in which its runtimes were made. */
  readonly number: number
  /** Whose it is. A group has more than one only while one of them replaces another. */
  readonly group: object
  #state: State
  #since: number
  #generation = 0
  #reason: ConnectReason | undefined
  #isDown = false

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
        return
      case "AttemptFailed":
        this.#reason = event.error.reason
        this.#isDown = true
        return
      case "RuntimeLost":
        this.#reason = undefined
        this.#isDown = true
        return
      case "Installed":
        this.#generation = event.generation
        this.#reason = undefined
        this.#isDown = false
    }
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

  /** The lower, the more an operator wants to know of it. An attempt is no better than the pause before it, unless it is the first one. */
  get rank(): number {
    return urgent.indexOf(this.#state === "Connecting" && this.#isDown ? "Reconnecting" : this.#state)
  }
}

/**
 * The one that speaks for a server. Each group is represented by the runtime that serves it, or else by its last one; among the groups,
 * the one that an operator wants to know of first.
 */
export const leading = (runtimes: ReadonlyArray<Runtime>): Runtime | undefined => {
  const serving = new Map<object, Runtime>()
  for (const one of runtimes) if (serving.get(one.group)?.state !== "Connected") serving.set(one.group, one)
  return [...serving.values()].reduce<Runtime | undefined>(
    (first, one) => first === undefined || one.rank < first.rank ? one : first,
    undefined
  )
}
