/** No client may hold more than is left for others: one alone gets half, and the next one always gets something. `free`: without the amount. */
export const mayTake = (held: number, amount: number, free: number): boolean => held + amount <= free - amount

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

  get size(): number {
    return this.#held.size
  }

  heldBy(client: unknown): number {
    return this.#held.get(client) ?? 0
  }

  take(client: unknown, amount = 1): boolean {
    if (!mayTake(this.heldBy(client), amount, this.#capacity - this.#total)) return false
    this.add(client, amount)
    return true
  }

  release(client: unknown, amount = 1): void {
    this.add(client, -amount)
  }

  /** Whether or not there is room. */
  add(client: unknown, amount: number): void {
    const held = this.heldBy(client) + amount
    this.#total += amount
    if (held > 0) this.#held.set(client, held)
    else this.#held.delete(client)
  }

  /** Sets what one thing of the client holds. Without room, returns false and changes nothing. */
  part(client: unknown): (amount: number) => boolean {
    let held = 0
    return (amount) => {
      if (amount > held && !this.take(client, amount - held)) return false
      if (amount < held) this.release(client, held - amount)
      held = amount
      return true
    }
  }
}
