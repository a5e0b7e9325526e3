/**
 * What a replica may do with its own lease and those of others. Pure: times and answers are arguments.
 *
 * A lease is the right to run servers. Whoever ends another's must know that everything there has stopped:
 *
 * - **A replica counts its lease from before it asks for a renewal**, and has stopped everything `margin` before the end. **Others count
 *   from when they saw the last renewal**, which is later. So no clocks are compared: they only have to run at about the same speed.
 * - **The lease of another replica ends only for the renewal that was seen** (compare and set), so one that came between wins.
 * - **Without the store**, a replica keeps its lease while all witnesses of its last renewal promise not to end it. Only a witness without
 *   a promise to keep may end it, or a replica with the consent of one, which then makes no promise for this renewal any more.
 */
import type { Terms } from "./Terms.js"

export type ReplicaId = string

export interface Lease {
  readonly id: ReplicaId
  readonly renewals: number
  readonly witnesses: ReadonlyArray<ReplicaId>
  readonly hasEnded: boolean
}

interface Seen {
  readonly lease: Lease
  readonly since: number
}

/** The renewal, and whom to ask about it. */
export type Needed = Pick<Lease, "renewals" | "witnesses">

export type Ending = { readonly _tag: "Now"; readonly renewals: number } | { readonly _tag: "Ask" } & Needed

/** Times are milliseconds of the clock of `uptime.ts`. */
export class LeaseRules {
  readonly id: ReplicaId
  readonly #terms: Terms
  #until = -Infinity
  /** Until when promises may extend the lease. */
  #limit = -Infinity
  #renewals = -1
  /** Whom the store may name as witnesses: by its last confirmed renewal, and by those after it. */
  #witnesses: ReadonlyArray<ReadonlyArray<ReplicaId>> = []
  readonly #seen = new Map<ReplicaId, Seen>()
  /** Until when it has promised not to end a lease. */
  readonly #promised = new Map<ReplicaId, number>()
  /** Renewals for which it makes no promise any more. */
  readonly #refused = new Map<ReplicaId, number>()

  constructor(id: ReplicaId, terms: Terms) {
    this.id = id
    this.#terms = terms
  }

  /** When everything has to have stopped. */
  get until(): number {
    return this.#until
  }

  isHeld(now: number): boolean {
    return now < this.#until
  }

  nextWitnesses(): ReadonlyArray<ReplicaId> {
    return Array.from(this.#seen.values()).filter(({ lease }) => !lease.hasEnded).map(({ lease }) => lease.id)
  }

  /** Before asking the store, which may renew and never answer. */
  renewing(witnesses: ReadonlyArray<ReplicaId>): void {
    this.#witnesses = [...this.#witnesses, witnesses]
  }

  /** `asked`: when the store was asked. */
  renewed(asked: number, renewals: number, witnesses: ReadonlyArray<ReplicaId>): void {
    this.#renewals = renewals
    this.#witnesses = [witnesses]
    this.#until = Math.max(this.#until, asked + this.#terms.lease - this.#terms.margin)
    this.#limit = asked + this.#terms.withoutStore - this.#terms.margin
  }

  ended(): void {
    this.#until = -Infinity
    this.#limit = -Infinity
    this.#renewals = -1
  }

  /** undefined where the store may name no witness: anyone may end the lease then. */
  get needed(): Needed | undefined {
    if (this.#renewals < 0 || this.#witnesses.some((named) => named.length === 0)) return undefined
    return { renewals: this.#renewals, witnesses: [...new Set(this.#witnesses.flat())] }
  }

  /** All `needed` have promised, without a renewal meanwhile. `asked`: when the first was asked. */
  extended(asked: number): void {
    this.#until = Math.max(this.#until, Math.min(this.#limit, asked + this.#terms.lease - this.#terms.margin))
  }

  /** `now`: after the store's answer. */
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

  lease(id: ReplicaId): Lease | undefined {
    return this.#seen.get(id)?.lease
  }

  /** undefined if it may not be ended yet. */
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

  nextEnding(): number {
    const moments = Array.from(this.#seen.values()).filter(({ lease }) => !lease.hasEnded).map(({ lease, since }) =>
      Math.max(since + this.#terms.lease, this.#promised.get(lease.id) ?? -Infinity)
    )
    return Math.min(Infinity, ...moments)
  }

  /** Until that replica renews its lease. To be called before ending that, or consenting. False if a promise is still to be kept. */
  refuse(now: number, id: ReplicaId, renewals: number): boolean {
    if (this.#keepsPromise(now, id)) return false
    this.#refused.set(id, Math.max(renewals, this.#refused.get(id) ?? renewals))
    return true
  }

  /** For the time of a lease. False if that cannot be promised. */
  promise(now: number, id: ReplicaId, renewals: number): boolean {
    if ((this.#refused.get(id) ?? -1) >= renewals || this.#seen.get(id)?.lease.hasEnded === true) return false
    this.#promised.set(id, now + this.#terms.lease)
    return true
  }

  #keepsPromise(now: number, id: ReplicaId): boolean {
    return (this.#promised.get(id) ?? -Infinity) > now
  }
}
