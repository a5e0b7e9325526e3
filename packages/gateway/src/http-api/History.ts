import type { Event, Status } from "@mcp-lifeline/core"
import type { Reasons } from "@mcp-lifeline/core/text"

/** `at`: milliseconds since 1970. */
export interface Change {
  readonly at: number
  readonly state: Status["state"]
  /** A lost connection caused the change, not a command. */
  readonly lost?: true
}

interface LastError {
  readonly message: string
  readonly reason: Reasons.Reason
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

  /** The event of a loss comes after the change of state. */
  #lost(): void {
    const [before, last] = this.#changes.slice(-2)
    if (last === undefined || before?.state !== "Connected") return
    this.#changes = [...this.#changes.slice(0, -1), { ...last, lost: true }]
  }

  enter(state: Status["state"], at: number): void {
    if (this.state === state) return
    this.#changes = [...this.#changes.slice(1 - maxChanges), { at, state }]
  }

  get state(): Status["state"] | undefined {
    return this.#changes.at(-1)?.state
  }

  /** Oldest first. */
  get changes(): ReadonlyArray<Change> {
    return this.#changes
  }

  get lastError(): LastError | undefined {
    return this.#lastError
  }
}
