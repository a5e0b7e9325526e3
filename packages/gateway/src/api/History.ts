/**
 * The past states of one server, and why a connection to it failed last.
 */
import type { Event, Status } from "@mcp-lifeline/core"
import type { Reason } from "@mcp-lifeline/core/internal"

/** A change of state. `at`: milliseconds since 1970. */
export interface Change {
  readonly at: number
  readonly state: Status["state"]
  /** A lost connection caused the change, not a command. */
  readonly lost?: true
}

/** Why it failed last. */
interface LastError {
  readonly message: string
  readonly reason: Reason.Reason
  readonly at: number
}

const maxChanges = 200

export class History {
  #changes: ReadonlyArray<Change> = []
  #lastError: LastError | undefined

  take(event: Event.Event): void {
    if (event._tag === "AttemptFailed") {
      this.#lastError = { message: event.error.message, reason: event.error.reason, at: event.at }
    } else if (event._tag === "RuntimeLost") {
      this.#lastError = { message: event.loss.message, reason: event.loss.kind, at: event.at }
      this.#lost()
    }
  }

  /** Marks the last change as caused by a lost connection: that event comes after the change. */
  #lost(): void {
    const [before, last] = this.#changes.slice(-2)
    if (last === undefined || before?.state !== "Connected") return
    this.#changes = [...this.#changes.slice(0, -1), { ...last, lost: true }]
  }

  /** Records that the server is in a state from now on. */
  enter(state: Status["state"], at: number): void {
    if (this.state === state) return
    this.#changes = [...this.#changes.slice(1 - maxChanges), { at, state }]
  }

  /** The last recorded state. */
  get state(): Status["state"] | undefined {
    return this.#changes.at(-1)?.state
  }

  /** All recorded changes, oldest first. */
  get changes(): ReadonlyArray<Change> {
    return this.#changes
  }

  /** Why the last connection was lost, or the last attempt failed. */
  get lastError(): LastError | undefined {
    return this.#lastError
  }
}
