/**
 * The bound on what all streams together keep for clients that come back.
 */

/** Something that keeps events. */
export interface Keeper {
  /** Lets go of events that were sent; with `all`, also of those that were not. */
  readonly forget: (all: boolean) => void
}

/** Counts what is kept, and has the longest unused let go of it. */
export class EventBudget {
  readonly #maxBytes: number
  /** In the order of last use. */
  readonly #keepers = new Set<Keeper>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** A keeper keeps so much more, or less. */
  add(keeper: Keeper, bytes: number): void {
    this.#bytes += bytes
    if (bytes <= 0) return
    this.#keepers.delete(keeper)
    this.#keepers.add(keeper)
    for (const all of [false, true]) {
      for (const one of this.#keepers) {
        if (this.#bytes <= this.#maxBytes) return
        if (one !== keeper) one.forget(all)
      }
    }
  }

  /** A keeper keeps nothing now. */
  remove(keeper: Keeper): void {
    this.#keepers.delete(keeper)
  }

  /** How many keep something now. */
  get size(): number {
    return this.#keepers.size
  }

  /** What is kept now, in bytes. */
  get bytes(): number {
    return this.#bytes
  }
}
