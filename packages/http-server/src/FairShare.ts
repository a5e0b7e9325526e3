/**
 * Who gets a place under a limit for all, and who loses one. Clients that nothing tells apart count as one caller, which may have all.
 */

export interface Holding {
  /** `Caller.ownerOf`. */
  readonly owner: string
  readonly amount: number
}

export interface Claim extends Holding {
  /** Of all clients together. */
  readonly capacity: number
}

class Sums {
  total = 0
  readonly #byOwner = new Map<string, number>()

  constructor(holdings: Iterable<Holding>) {
    for (const { amount, owner } of holdings) {
      this.total += amount
      this.#byOwner.set(owner, this.of(owner) + amount)
    }
  }

  of(owner: string): number {
    return this.#byOwner.get(owner) ?? 0
  }
}

/**
 * No caller may have more than it leaves for others: one that is alone gets half. But whoever has nothing may have what is free, and the first one anything.
 */
export const hasRoom = (holdings: Iterable<Holding>, { amount, capacity, owner }: Claim): boolean => {
  const sums = new Sums(holdings)
  if (sums.total === 0) return true
  const free = capacity - sums.total - amount
  return free >= 0 && (owner === "" || sums.of(owner) === 0 || sums.of(owner) + amount <= free)
}

/**
 * One of the caller that has most, if that is more than the claimant has; else one of the claimant's own. Of several the first. `undefined` if none can go.
 */
export const loser = <A extends Holding>(
  holdings: Iterable<A>,
  owner: string,
  canGo: (holding: A) => boolean
): A | undefined => {
  const all = [...holdings]
  const sums = new Sums(all)
  let found: A | undefined
  for (const one of all) {
    const sum = sums.of(one.owner)
    if (one.amount === 0 || (one.owner !== owner && sum <= sums.of(owner))) continue
    if ((found === undefined || sum > sums.of(found.owner)) && canGo(one)) found = one
  }
  return found
}

export interface Room<A extends Holding> extends Claim {
  readonly holdings: () => ReadonlyArray<A>
  readonly canGo: (holding: A) => boolean
  /** Ends a holding, which must leave `holdings`. */
  readonly end: (holding: A) => void
}

export const makeRoom = <A extends Holding>({ canGo, end, holdings, ...claim }: Room<A>): boolean => {
  for (;;) {
    const all = holdings()
    if (hasRoom(all, claim)) return true
    const found = loser(all, claim.owner, canGo)
    if (found === undefined) return false
    end(found)
  }
}
