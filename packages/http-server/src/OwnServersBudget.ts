/**
 * The servers that run for single clients: how many there may be at once, and who loses theirs to make room for others.
 */
import * as FairShare from "./FairShare.js"

/** A client that may have servers of its own. */
export interface Holder extends FairShare.Holding {
  /** The same each time that the client is asked about. */
  readonly key: unknown
  /** When the client was last used, by `performance.now`. */
  readonly usedAt: number
  /** Whether it has something open, so that it keeps its servers. */
  readonly isBusy: boolean
  /** Ends the client, and so its servers. `why`: a statement. */
  readonly end: (why: string) => void
}

export class OwnServersBudget {
  readonly #capacity: () => number
  readonly #sources: Array<() => ReadonlyArray<Holder>> = []

  /** `capacity`: how many there may be for all clients together. */
  constructor(capacity: () => number) {
    this.#capacity = capacity
  }

  /** Adds clients that may have some. */
  add(source: () => ReadonlyArray<Holder>): void {
    this.#sources.push(source)
  }

  /** Whether `amount` servers may run for a client. To make room, ends clients with nothing open that have some. */
  makeRoom({ amount, key, owner }: Pick<Holder, "amount" | "key" | "owner">): boolean {
    return FairShare.makeRoom({
      owner,
      amount,
      capacity: this.#capacity(),
      holdings: () =>
        this.#sources.flatMap((source) => source().filter((one) => one.amount > 0 && one.key !== key))
          .toSorted((a, b) => a.usedAt - b.usedAt),
      canGo: ({ isBusy }) => !isBusy,
      end: ({ end }) => end("its servers made room for those of others")
    })
  }
}
