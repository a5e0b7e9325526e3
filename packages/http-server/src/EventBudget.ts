/**
 * The limit on what all streams together keep for clients that come back. Who keeps more than a fair share lets go of it first, so that
 * one client's excess costs no other client an answer.
 */

/**
 * What a keeper lets go of, in this order: what was sent, what was not sent and is no answer, and answers. In place of an answer it keeps
 * that the answer is lost.
 */
export type Expendable = "answers" | "sent" | "unsent"

const inOrder: ReadonlyArray<Expendable> = ["sent", "unsent", "answers"]

/** Something that keeps events. */
export interface Keeper {
  /** Whose events they are, where one client has several keepers. Default: each keeper is a client of its own. */
  readonly client?: unknown
  readonly forget: (what: Expendable) => void
}

/** What one client keeps. */
interface Account {
  /** With the bytes of each, in the order of last use. */
  readonly keepers: Map<Keeper, number>
  bytes: number
}

/** Counts what is kept. */
export class EventBudget {
  readonly #maxBytes: number
  /** By client, in the order of last use. */
  readonly #accounts = new Map<unknown, Account>()
  #size = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** A keeper keeps so many bytes now. It may be told at once to let go of some. */
  set(keeper: Keeper, bytes: number): void {
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

  /** How many keep something now. */
  get size(): number {
    return this.#size
  }

  /** What is kept now, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  #makeRoom(): void {
    if (this.#bytes <= this.#maxBytes) return
    const share = this.#maxBytes / this.#accounts.size
    for (const what of inOrder) {
      for (const account of [...this.#accounts.values()]) {
        for (const keeper of [...account.keepers.keys()]) {
          if (this.#bytes <= this.#maxBytes) return
          if (account.bytes > share) keeper.forget(what)
        }
      }
    }
  }
}
