import * as FairShare from "./FairShare.js"

export interface Holder extends FairShare.Holding {
  /** The same each time for a client. */
  readonly key: unknown
  /** By `performance.now`. */
  readonly usedAt: number
  /** Whether it has something open, and so keeps its servers. */
  readonly isBusy: boolean
  /** Also ends its servers. `why`: a statement. */
  readonly end: (why: string) => void
}

export class OwnServersBudget {
  readonly #capacity: () => number
  readonly #sources: Array<() => ReadonlyArray<Holder>> = []

  /** For all clients together. */
  constructor(capacity: () => number) {
    this.#capacity = capacity
  }

  add(source: () => ReadonlyArray<Holder>): void {
    this.#sources.push(source)
  }

  /** To make room, ends clients with nothing open. */
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
