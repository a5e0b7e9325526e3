import type { Ledger, ScriptedConnector } from "@mcp-lifeline/testing"

/** How long a close is waited for in this world, in milliseconds. */
export const closeTimeout = 5000

export class Closes {
  readonly #script: ScriptedConnector.ScriptedConnector
  readonly #now: () => number
  readonly #fault: (what: string) => void

  constructor(script: ScriptedConnector.ScriptedConnector, now: () => number, fault: (what: string) => void) {
    this.#script = script
    this.#now = now
    this.#fault = fault
  }

  wrote(entry: Ledger.Entry, current: number | undefined): void {
    const { ledger, overlap } = this.#script
    if (entry._tag === "Closing") {
      const closes = ledger.closing.filter((connection) => connection === entry.connection).length
      if (closes > 1) this.#fault(`L6: connection ${entry.connection} was closed ${closes} times`)
      if (current === entry.connection) {
        this.#fault(`L5: connection ${entry.connection} is closed and still the current one`)
      }
    }
    if (entry._tag === "Opened" && !overlap) this.#openedAlone(entry.connection)
  }

  /** L12: without overlap, nothing is open or closing (and not abandoned) when a connection is made. */
  #openedAlone(opened: number): void {
    if (this.#isAbandoned(opened)) return
    for (const connection of this.#script.ledger.opened) {
      const state = connection === opened ? undefined : this.#left(connection)
      if (state !== undefined) this.#fault(`L12: connection ${opened} opened while ${connection} is ${state}`)
    }
  }

  /** L10: Disabled only when everything is closed or abandoned. */
  disabled(): void {
    for (const connection of this.#script.ledger.opened) {
      const state = this.#left(connection)
      if (state !== undefined) this.#fault(`L10: Disabled while connection ${connection} is ${state}`)
    }
  }

  #left(connection: number): "open" | "closing" | undefined {
    const { ledger } = this.#script
    if (ledger.closed.includes(connection) || this.#isAbandoned(connection)) return undefined
    const closing = ledger.entries.find((entry) => entry._tag === "Closing" && entry.connection === connection)
    if (closing === undefined) return "open"
    return this.#now() - closing.at < closeTimeout ? "closing" : undefined
  }

  /** Whether nobody waits for its close any more: it opened too late, or it outlasts `closeTimeout` with its attempt. */
  #isAbandoned(id: number): boolean {
    const { after = 0, close = 0, stubborn } = this.#script.connections[id]!.outcome
    const closing = close === "never" ? Number.POSITIVE_INFINITY : close === "die" ? 0 : close
    return stubborn === true && (after + closing >= closeTimeout || this.#openedLate(id, after))
  }

  #openedLate(id: number, after: number): boolean {
    const { ledger } = this.#script
    const opened = ledger.entries.findIndex((entry) => entry._tag === "Opened" && entry.connection === id)
    const attempt = ledger.entries.slice(0, opened).findLast((entry) => entry._tag === "Attempt")
    if (attempt === undefined) return false
    const took = ledger.entries[opened]!.at - attempt.at
    return took > after && took >= closeTimeout
  }
}
