/**
 * Clients that keep more than a fair share lose events first, so that one client's excess costs no other an answer.
 */
import type { Bytes } from "@mcp-lifeline/core/text"

/** Discarded in this order: sent events, unsent events that are no answers, and answers, in whose place an error is sent. */
export type Discardable = "answers" | "sent" | "unsent"

const discardOrder: ReadonlyArray<Discardable> = ["sent", "unsent", "answers"]

export interface Keeper {
  /** Groups the keepers of one client. Default: each is a client of its own. */
  readonly client?: unknown
  readonly discard: (what: Discardable) => void
}

interface Account {
  /** In bytes, least recently used first. */
  readonly keepers: Map<Keeper, number>
  bytes: number
}

export class EventBudget {
  readonly #maxBytes: Bytes
  /** Least recently used first. */
  readonly #accounts = new Map<unknown, Account>()
  #size = 0
  #bytes = 0

  constructor(maxBytes: Bytes) {
    this.#maxBytes = maxBytes
  }

  /** May at once call `discard` of this keeper or of others. */
  set(keeper: Keeper, bytes: Bytes): void {
    const client = keeper.client ?? keeper
    const account = this.#accounts.get(client) ?? { keepers: new Map<Keeper, number>(), bytes: 0 }
    const before = account.keepers.get(keeper) ?? 0
    if (bytes === before) return
    account.bytes += bytes - before
    this.#bytes += bytes - before
    if (before > 0) this.#size--
    if (bytes > 0) this.#size++
    if (bytes > before) {
      this.#accounts.delete(client)
      account.keepers.delete(keeper)
    }
    if (bytes > 0) account.keepers.set(keeper, bytes)
    else account.keepers.delete(keeper)
    if (account.keepers.size > 0) this.#accounts.set(client, account)
    else this.#accounts.delete(client)
    if (bytes > before) this.#makeRoom()
  }

  /** How many keepers keep something. */
  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#bytes
  }

  #makeRoom(): void {
    if (this.#bytes <= this.#maxBytes) return
    const share = this.#maxBytes / this.#accounts.size
    for (const what of discardOrder) {
      for (const account of [...this.#accounts.values()]) {
        for (const keeper of [...account.keepers.keys()]) {
          if (this.#bytes <= this.#maxBytes) return
          if (account.bytes > share) keeper.discard(what)
        }
      }
    }
  }
}
