import type { ScriptedConnector } from "@mcp-lifeline/testing"
import type { Slot } from "../../src/state/Slot.js"

/** How long the lists hold in worlds where the server says so, in milliseconds. */
export const timeToLive = 40_000

export interface Parts {
  readonly isGranted: boolean
  readonly fault: (what: string) => void
}

/** Watches what is shown of lists that have expired. (E4) */
export class Expiry {
  readonly #parts: Parts
  /** When the tools, the only list with a time to live here, were last given on each connection; and whether they are known to be shown. */
  readonly #given = new Map<number, { readonly at: number; readonly isShown: boolean }>()
  /** When the process last may have stood still, before what it had read was shown. */
  #leaptAt = Number.NEGATIVE_INFINITY

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Tools that are given to a doubt, or to a reading that is dropped, are shown to nobody. */
  answers(connection: number, method: string, answer: ScriptedConnector.Answer, now: number): void {
    if (!method.endsWith("/list")) return
    const before = this.#given.get(connection)
    const at = now + (answer.answer === "result" ? answer.after ?? 0 : 0)
    // One that is refused in place of those that were given is asked for again at another time.
    if (answer.answer !== "result") this.#given.delete(connection)
    else if (method === "tools/list") {
      this.#given.set(connection, { at: Math.max(before?.at ?? 0, at), isShown: before?.isShown ?? false })
    } else if (method === "resources/templates/list" && before !== undefined) {
      this.#given.set(connection, { at: Math.max(before.at, at), isShown: true })
    }
  }

  leapt(now: number): void {
    this.#leaptAt = now
  }

  looked({ current, generation, snapshot }: Slot, now: number): void {
    if (!this.#parts.isGranted || current === undefined || snapshot?.generation !== generation) return
    const given = this.#given.get(current.connection.peer.pid!)
    if (given?.isShown !== true || now < Math.max(given.at, this.#leaptAt) + timeToLive) return
    if (!snapshot.stale) this.#parts.fault(`E4: lists of ${given.at} are shown as fresh, and hold for ${timeToLive} ms`)
  }

  lookedAgain({ current, snapshot }: Slot): void {
    if (current !== undefined && snapshot?.stale === true) this.#parts.fault("E4: stale lists are not read again")
  }
}
