/**
 * What a replica may do with its own lease and those of others. Without effects: the times and the answers of others are arguments.
 *
 * A lease is the right of a replica to run servers. It belongs to the replica as a whole: what it runs is its own as long as the store
 * does not say that the lease has ended, and whoever ends the lease of another replica must know that everything there has stopped. These
 * rules are how it knows.
 *
 * - **A replica counts its lease from the moment before it asks for a renewal**, and has stopped everything `margin` before the end. **Others
 *   count from the moment at which they have seen the last renewal**, which is later. So no clock is compared with another one; they only
 *   have to run at about the same speed. A clock that jumps, of a replica or of the database, does not matter.
 * - **The lease of another replica ends only for the renewal that was seen** (compare and set), so a renewal that came between wins.
 * - **Without the store**, a replica keeps its lease as long as all its witnesses promise that they will not end it. Its witnesses are the
 *   replicas that it has named in the store with its last renewal. Who wants to end a lease has to be one of the witnesses, and have no
 *   promise to keep; or to have the consent of one, which makes no promise for this renewal any more.
 */
import type { Terms } from "./Terms.js"

/** The id of a replica, new for each lease. */
export type ReplicaId = string

/** A lease, as the store has it. */
export interface Lease {
  readonly id: ReplicaId
  /** How often it was renewed. */
  readonly renewals: number
  /** The replicas that its holder asks for promises. */
  readonly witnesses: ReadonlyArray<ReplicaId>
  /** Whether it has ended, which is final. */
  readonly hasEnded: boolean
}

/** The lease of another replica, and since when it is as it is. */
interface Seen {
  readonly lease: Lease
  readonly since: number
}

/** What a replica has to do before it may end the lease of another one. */
export type Ending =
  /** Nothing: it may. */
  | { readonly _tag: "Now"; readonly renewals: number }
  /** Any one of these has to consent. */
  | { readonly _tag: "Ask"; readonly renewals: number; readonly witnesses: ReadonlyArray<ReplicaId> }

/** The rules for one replica. Times are milliseconds of a clock that never jumps, and counts while the machine sleeps. */
export class LeaseRules {
  readonly id: ReplicaId
  readonly #terms: Terms
  /** When everything has to have stopped. */
  #until = -Infinity
  /** Until when promises may extend the lease. */
  #limit = -Infinity
  /** The renewals that the store has confirmed. */
  #renewals = -1
  /** Those whom the store may name as witnesses: by the last renewal that it has confirmed, and by those after it. */
  #witnesses: ReadonlyArray<ReadonlyArray<ReplicaId>> = []
  readonly #seen = new Map<ReplicaId, Seen>()
  /** Until when this replica has promised not to end a lease. */
  readonly #promised = new Map<ReplicaId, number>()
  /** The renewals of leases for which this replica makes no promise any more. */
  readonly #refused = new Map<ReplicaId, number>()

  constructor(id: ReplicaId, terms: Terms) {
    this.id = id
    this.#terms = terms
  }

  /** The moment at which everything that this replica runs has to have stopped. */
  get until(): number {
    return this.#until
  }

  /** Whether this replica may run servers. */
  isHeld(now: number): boolean {
    return now < this.#until
  }

  /** The replicas that are witnesses of the next renewal: all others whose leases have not ended. */
  nextWitnesses(): ReadonlyArray<ReplicaId> {
    return Array.from(this.#seen.values()).filter(({ lease }) => !lease.hasEnded).map(({ lease }) => lease.id)
  }

  /** To be called before the store is asked for a renewal: it may carry it out and never answer. */
  renewing(witnesses: ReadonlyArray<ReplicaId>): void {
    this.#witnesses = [...this.#witnesses, witnesses]
  }

  /** The store has renewed this lease. `asked`: when it was asked. `witnesses`: those that it was given. */
  renewed(asked: number, renewals: number, witnesses: ReadonlyArray<ReplicaId>): void {
    this.#renewals = renewals
    this.#witnesses = [witnesses]
    this.#until = Math.max(this.#until, asked + this.#terms.lease - this.#terms.margin)
    this.#limit = asked + this.#terms.withoutStore - this.#terms.margin
  }

  /** The store says that this lease has ended. */
  ended(): void {
    this.#until = -Infinity
    this.#limit = -Infinity
    this.#renewals = -1
  }

  /**
   * Whose promises extend this lease, and for which renewal; `undefined` if nothing can: anyone may end a lease for which the store may
   * name no witness.
   */
  get needed(): { readonly renewals: number; readonly witnesses: ReadonlyArray<ReplicaId> } | undefined {
    if (this.#renewals < 0 || this.#witnesses.some((named) => named.length === 0)) return undefined
    return { renewals: this.#renewals, witnesses: [...new Set(this.#witnesses.flat())] }
  }

  /** All that were `needed` have promised, and nothing was renewed meanwhile. `asked`: when the first of them was asked. */
  extended(asked: number): void {
    this.#until = Math.max(this.#until, Math.min(this.#limit, asked + this.#terms.lease - this.#terms.margin))
  }

  /** The leases of all replicas, as the store had them after `now` at the latest. */
  saw(now: number, leases: Iterable<Lease>): void {
    const gone = new Set(this.#seen.keys())
    for (const lease of leases) {
      if (lease.id === this.id) continue
      gone.delete(lease.id)
      const before = this.#seen.get(lease.id)
      const since = before?.lease.renewals === lease.renewals ? before.since : now
      this.#seen.set(lease.id, { lease, since })
    }
    for (const id of gone) {
      this.#seen.delete(id)
      this.#promised.delete(id)
      this.#refused.delete(id)
    }
  }

  /** The lease of another replica, as seen last. */
  lease(id: ReplicaId): Lease | undefined {
    return this.#seen.get(id)?.lease
  }

  /** What has to be done before the lease of another replica may be ended; `undefined` if it may not be ended yet. */
  ending(now: number, id: ReplicaId): Ending | undefined {
    const seen = this.#seen.get(id)
    if (seen === undefined || seen.lease.hasEnded || this.#keepsPromise(now, id)) return undefined
    const silence = now - seen.since
    if (silence < this.#terms.lease) return undefined
    const { renewals, witnesses } = seen.lease
    const isFree = witnesses.length === 0 || witnesses.includes(this.id)
      || silence >= this.#terms.withoutStore + this.#terms.lease
    return isFree ? { _tag: "Now", renewals } : { _tag: "Ask", renewals, witnesses }
  }

  /** The next moment at which the lease of another replica could be ended, if it is not renewed. */
  nextEnding(): number {
    const moments = Array.from(this.#seen.values()).filter(({ lease }) => !lease.hasEnded).map(({ lease, since }) =>
      Math.max(since + this.#terms.lease, this.#promised.get(lease.id) ?? -Infinity)
    )
    return Math.min(Infinity, ...moments)
  }

  /**
   * Refuses promises to a replica from now on, until it has renewed its lease. To be called before its lease is ended, and to give consent.
   * False if a promise is still to be kept.
   */
  refuse(now: number, id: ReplicaId, renewals: number): boolean {
    if (this.#keepsPromise(now, id)) return false
    this.#refused.set(id, Math.max(renewals, this.#refused.get(id) ?? renewals))
    return true
  }

  /** Promises another replica not to end its lease for the time of a lease. False if that cannot be promised. */
  promise(now: number, id: ReplicaId, renewals: number): boolean {
    if ((this.#refused.get(id) ?? -1) >= renewals || this.#seen.get(id)?.lease.hasEnded === true) return false
    this.#promised.set(id, now + this.#terms.lease)
    return true
  }

  #keepsPromise(now: number, id: ReplicaId): boolean {
    return (this.#promised.get(id) ?? -Infinity) > now
  }
}
