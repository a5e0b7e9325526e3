/**
 * No client may hold more than is left for others. So a client alone gets half, the next one always gets something, and one client's excess
 * refuses that client only.
 */
export class Shares {
  readonly #capacity: number
  readonly #held = new Map<unknown, number>()
  #total = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get total(): number {
    return this.#total
  }

  heldBy(client: unknown): number {
    return this.#held.get(client) ?? 0
  }

  take(client: unknown, amount = 1): boolean {
    const held = this.heldBy(client) + amount
    if (held > this.#capacity - this.#total - amount) return false
    this.#held.set(client, held)
    this.#total += amount
    return true
  }

  release(client: unknown, amount = 1): void {
    const held = this.heldBy(client) - amount
    this.#total -= amount
    if (held > 0) this.#held.set(client, held)
    else this.#held.delete(client)
  }
}
