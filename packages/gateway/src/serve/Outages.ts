/**
 * Since when servers are down, and in which way they could not be connected last.
 */
import type { ConnectReason, Event } from "@mcp-lifeline/core"

/** What is known of a server that is down. */
export interface Outage {
  /** In milliseconds since the epoch. */
  readonly since: number
  readonly reason: ConnectReason | undefined
}

/** The outages of the servers of a fleet, from its events. */
export class Outages {
  readonly #all = new Map<string, Outage>()

  /** Notes what happened. */
  note(event: Event.Event): void {
    const { at, backend } = event
    if (event._tag === "Installed") this.#all.delete(backend)
    else if (event._tag === "StateChanged" && event.to === "Closed") this.#all.delete(backend)
    else if (event._tag === "RuntimeLost") this.#all.set(backend, { since: at, reason: undefined })
    else if (event._tag === "AttemptFailed") {
      const since = this.#all.get(backend)?.since ?? at - event.duration
      this.#all.set(backend, { since, reason: event.error.reason })
    }
  }

  of(server: string): Outage | undefined {
    return this.#all.get(server)
  }
}
