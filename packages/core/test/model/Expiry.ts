/**
 * Servers that say how long their lists hold: whoever looks at the catalogue later sees it as stale, until it was read again.
 */
import type { ScriptedConnector } from "@mcp-lifeline/testing"
import type { Slot } from "../../src/lifecycle/BackendState.js"

/** How long the lists hold in worlds where the server says so, in milliseconds. */
export const timeToLive = 40_000

/** What the looks are compared with. */
export interface Parts {
  readonly isGranted: boolean
  readonly fault: (what: string) => void
}

/** Watches what is shown of lists that have expired. (E4) */
export class Expiry {
  readonly #parts: Parts
  /** When the last of a reading was given on each connection. */
  readonly #given = new Map<number, number>()
  /** When the process last may have stood still, before what it had read was shown. */
  #leaptAt = Number.NEGATIVE_INFINITY

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * A request is answered in this way. A reading of all lists ends with the resource templates, and is dropped whole where the server
   * does not answer one of them; who doubts a session asks for its tools alone, and shows them to nobody.
   */
  answers(connection: number, method: string, answer: ScriptedConnector.Answer, now: number): void {
    if (!method.endsWith("/list")) return
    // One that is refused in place of those that were given is asked for again at another time.
    if (answer.answer !== "result") this.#given.delete(connection)
    else if (method === "resources/templates/list") this.#given.set(connection, now + (answer.after ?? 0))
  }

  /** The clock has moved on while there was something to do. */
  leapt(now: number): void {
    this.#leaptAt = now
  }

  /** Somebody has looked. */
  looked({ current, generation, snapshot }: Slot, now: number): void {
    if (!this.#parts.isGranted || current === undefined || snapshot?.generation !== generation) return
    const given = this.#given.get(current.connection.peer.pid!)
    if (given === undefined || now < Math.max(given, this.#leaptAt) + timeToLive) return
    if (!snapshot.stale) this.#parts.fault(`E4: lists of ${given} are shown as fresh, and hold for ${timeToLive} ms`)
  }

  /** All has gone well for long, and somebody has looked a moment ago. */
  lookedAgain({ current, snapshot }: Slot): void {
    if (current !== undefined && snapshot?.stale === true) this.#parts.fault("E4: stale lists are not read again")
  }
}
