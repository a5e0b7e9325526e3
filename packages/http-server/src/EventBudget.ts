/** One client's excess costs no other an answer: those that keep more than an equal share lose events first. */
import type { Bytes } from "@mcp-lifeline/core/text"
import { Shares } from "@mcp-lifeline/protocol"

/** Discarded in this order: sent events, unsent events that are no answers, and answers, in whose place an error is sent. */
export type Discardable = "answers" | "sent" | "unsent"

const discardOrder: ReadonlyArray<Discardable> = ["sent", "unsent", "answers"]

export interface Keeper {
  /** Groups the keepers of one client. Default: each is a client of its own. */
  readonly client?: unknown
  readonly discard: (what: Discardable) => void
}

export class EventBudget {
  readonly #maxBytes: Bytes
  readonly #shares: Shares
  /** In bytes. The first has not grown for longest. */
  readonly #keepers = new Map<Keeper, number>()

  constructor(maxBytes: Bytes) {
    this.#maxBytes = maxBytes
    this.#shares = new Shares(maxBytes)
  }

  /** May at once call `discard` of this keeper or of others. */
  set(keeper: Keeper, bytes: Bytes): void {
    const before = this.#keepers.get(keeper) ?? 0
    if (bytes > before || bytes === 0) this.#keepers.delete(keeper)
    if (bytes > 0) this.#keepers.set(keeper, bytes)
    this.#shares.add(keeper.client ?? keeper, bytes - before)
    if (bytes > before) this.#makeRoom()
  }

  /** How many keepers keep something. */
  get size(): number {
    return this.#keepers.size
  }

  get bytes(): number {
    return this.#shares.total
  }

  #makeRoom(): void {
    if (this.bytes <= this.#maxBytes) return
    const share = this.#maxBytes / this.#shares.size
    for (const what of discardOrder) {
      for (const keeper of [...this.#keepers.keys()]) {
        if (this.bytes <= this.#maxBytes) return
        if (this.#shares.heldBy(keeper.client ?? keeper) > share) keeper.discard(what)
      }
    }
  }
}
