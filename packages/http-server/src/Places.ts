/** Limits for all whose holders may have to make room. Callers that nothing tells apart (owner "") are one, which may have all. */
import { mayTake, Shares } from "@mcp-lifeline/protocol"

export interface Place {
  /** `Caller.ownerOf`, or an address. */
  readonly owner: string | undefined
  /** Default: always. */
  readonly canGo?: (() => boolean) | undefined
  /** It has lost its place. `why`: a statement. */
  readonly end: (why: string) => void
}

export class Places {
  readonly #capacity: () => number
  readonly #why: string
  readonly #shares = new Shares(Number.POSITIVE_INFINITY)
  /** The longest unused first. */
  readonly #all = new Map<Place, number>()

  constructor(capacity: () => number, why: string) {
    this.#capacity = capacity
    this.#why = why
  }

  get total(): number {
    return this.#shares.total
  }

  heldBy(owner: Place["owner"]): number {
    return this.#shares.heldBy(owner)
  }

  has(place: Place): boolean {
    return this.#all.has(place)
  }

  used(place: Place): void {
    const amount = this.#all.get(place)
    if (amount !== undefined && this.#all.delete(place)) this.#all.set(place, amount)
  }

  put(place: Place, amount = 1): void {
    if (amount === 0) return
    this.#all.set(place, amount)
    this.#shares.add(place.owner, amount)
  }

  /** Returns how much it had. */
  leave(place: Place): number {
    const amount = this.#all.get(place) ?? 0
    if (this.#all.delete(place)) this.#shares.add(place.owner, -amount)
    return amount
  }

  /** Without room, returns false and changes nothing of its own. */
  take(place: Place, amount: number): boolean {
    const before = this.leave(place)
    const hasRoom = this.makeRoom(place.owner, amount)
    this.put(place, hasRoom ? amount : before)
    return hasRoom
  }

  /** As with `Shares`; but whoever has nothing may have what is free, and the first one anything. */
  makeRoom(owner: Place["owner"], amount = 1): boolean {
    while (!this.#hasRoom(owner, amount)) if (!this.evict(owner)) return false
    return true
  }

  /** Ends the first that can go of the owner that has most, if more than this one, or else of its own. */
  evict(owner: Place["owner"]): boolean {
    const own = this.heldBy(owner)
    let [found, most]: [Place | undefined, number] = [undefined, 0]
    for (const place of this.#all.keys()) {
      const held = this.heldBy(place.owner)
      if (held <= most || (place.owner !== owner && held <= own) || place.canGo?.() === false) continue
      ;[found, most] = [place, held]
    }
    if (found === undefined) return false
    this.leave(found)
    found.end(this.#why)
    return true
  }

  /** Ends what is too much. A single one may be of any size. */
  shrink(owner: Place["owner"]): void {
    while (this.#all.size > 1 && this.total > this.#capacity() && this.evict(owner));
  }

  #hasRoom(owner: Place["owner"], amount: number): boolean {
    const [free, held] = [this.#capacity() - this.total, this.heldBy(owner)]
    if (owner === "" || held === 0) return this.total === 0 || amount <= free
    return mayTake(held, amount, free)
  }
}
