/**
 * In which states one server was, and why its last attempt failed.
 */
import type { ConnectReason, Event, Status } from "@mcp-lifeline/core"

/** From when on it was in a state, in milliseconds since 1970. */
export interface Change {
  readonly at: number
  readonly state: Status["state"]
}

/** How many changes are remembered. */
const remembered = 200

/** The history of one server. */
export class History {
  #changes: ReadonlyArray<Change> = []
  #reason: ConnectReason | undefined
  #lastError: { readonly message: string; readonly at: number } | undefined

  take(event: Event.Event): void {
    switch (event._tag) {
      case "AttemptFailed":
        this.#reason = event.error.reason
        this.#lastError = { message: event.error.message, at: event.at }
        return
      case "RuntimeLost":
        this.#reason = undefined
        this.#lastError = { message: event.loss.message, at: event.at }
        return
      case "Installed":
        this.#reason = undefined
    }
  }

  /** It is in a state from now on. */
  enter(state: Status["state"], at: number): void {
    if (this.#changes.at(-1)?.state === state) return
    this.#changes = [...this.#changes.slice(1 - remembered), { at, state }]
  }

  /** Oldest first. */
  get changes(): ReadonlyArray<Change> {
    return this.#changes
  }

  /** Why the last attempt failed, unless a connection was made or lost since. */
  get reason(): ConnectReason | undefined {
    return this.#reason
  }

  /** Why a connection was lost or could not be made last. */
  get lastError(): { readonly message: string; readonly at: number } | undefined {
    return this.#lastError
  }
}
