/**
 * In which states one server was, and why a connection to it failed last.
 */
import type { Event, Status } from "@mcp-lifeline/core"

/** From when on it was in a state, in milliseconds since 1970. */
export interface Change {
  readonly at: number
  readonly state: Status["state"]
  /** The change came of a connection that was lost, and not of a command. */
  readonly lost?: true
}

/** How many changes are remembered. */
const remembered = 200

/** The history of one server. */
export class History {
  #changes: ReadonlyArray<Change> = []
  #lastError: { readonly message: string; readonly at: number } | undefined

  take(event: Event.Event): void {
    if (event._tag === "AttemptFailed") this.#lastError = { message: event.error.message, at: event.at }
    else if (event._tag === "RuntimeLost") {
      this.#lastError = { message: event.loss.message, at: event.at }
      this.#lost()
    }
  }

  /** A connection was lost, which is told after the change that came of it. */
  #lost(): void {
    const [before, last] = this.#changes.slice(-2)
    if (last === undefined || before?.state !== "Connected") return
    this.#changes = [...this.#changes.slice(0, -1), { ...last, lost: true }]
  }

  /** It is in a state from now on. */
  enter(state: Status["state"], at: number): void {
    if (this.state === state) return
    this.#changes = [...this.#changes.slice(1 - remembered), { at, state }]
  }

  /** The state that it is in. */
  get state(): Status["state"] | undefined {
    return this.#changes.at(-1)?.state
  }

  /** Oldest first. */
  get changes(): ReadonlyArray<Change> {
    return this.#changes
  }

  /** Why a connection was lost or could not be made last. */
  get lastError(): { readonly message: string; readonly at: number } | undefined {
    return this.#lastError
  }
}
