/**
 * Divides what there is a limited number of among clients: nobody may hold more of it than there is left for others. A client alone
 * gets half, and however much clients hold, one more gets something; so one client's excess refuses that client only.
 */
export class Shares {
  readonly #capacity: number
  readonly #held = new Map<unknown, number>()
  #total = 0

  /** `capacity`: how much there is; a client alone gets half of it. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** What all clients hold together. */
  get total(): number {
    return this.#total
  }

  /** What one client holds. */
  heldBy(client: unknown): number {
    return this.#held.get(client) ?? 0
  }

  /** Takes so much for a client; says whether it may have it. */
  take(client: unknown, amount = 1): boolean {
    const held = this.heldBy(client) + amount
    if (held > this.#capacity - this.#total - amount) return false
    this.#held.set(client, held)
    this.#total += amount
    return true
  }

  /** Gives back so much of what was taken. */
  release(client: unknown, amount = 1): void {
    const held = this.heldBy(client) - amount
    this.#total -= amount
    if (held > 0) this.#held.set(client, held)
    else this.#held.delete(client)
  }
}
