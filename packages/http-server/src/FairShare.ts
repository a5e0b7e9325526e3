/**
 * Who gets a place where there is a limit for all, and who loses one. Clients that nothing tells apart count as one caller, which may
 * have all.
 */

/** What one client has. */
export interface Holding {
  /** Whose it is (`Caller.ownerOf`). */
  readonly owner: string
  readonly amount: number
}

/** What somebody asks for. */
export interface Claim extends Holding {
  /** How much all clients together may have. */
  readonly capacity: number
}

/** What the holdings of each owner, and of all, come to. */
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
 * Whether there is room for a claim besides these holdings. No caller may have more than it leaves for others, so one that is alone gets half; but
 * whoever has nothing may have what is free, and the first one anything.
 */
export const hasRoom = (holdings: Iterable<Holding>, { amount, capacity, owner }: Claim): boolean => {
  const sums = new Sums(holdings)
  if (sums.total === 0) return true
  const free = capacity - sums.total - amount
  return free >= 0 && (owner === "" || sums.of(owner) === 0 || sums.of(owner) + amount <= free)
}

/**
 * Which of these holdings makes room for a claim: one of the caller that has most, if that is more than the claimant has; else one of the claimant's own. Of
 * several the first. `undefined` if none can go.
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

/** How to make room. */
export interface Room<A extends Holding> extends Claim {
  /** What there is now. Of several that can make room, the first one loses. */
  readonly holdings: () => ReadonlyArray<A>
  readonly canGo: (holding: A) => boolean
  /** Ends a holding, which is none of `holdings` then. */
  readonly end: (holding: A) => void
}

/** Ends holdings until there is room for a claim; returns whether there is. */
export const makeRoom = <A extends Holding>({ canGo, end, holdings, ...claim }: Room<A>): boolean => {
  for (;;) {
    const all = holdings()
    if (hasRoom(all, claim)) return true
    const found = loser(all, claim.owner, canGo)
    if (found === undefined) return false
    end(found)
  }
}
