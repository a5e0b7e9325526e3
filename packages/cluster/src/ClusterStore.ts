/**
 * The port for what all replicas of a cluster have in common: their leases, and what each of them has: servers, sessions and locks. Every
 * operation is one step: it happens as a whole, or not at all.
 */
import { Data, type Effect } from "effect"
import type { Lease, ReplicaId } from "./LeaseRules.js"
import type { Loads } from "./placement.js"

/** The store did not answer, or refused. What was asked of it may have happened, or may happen later. */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

/** A replica, as the store has it. */
export interface Replica extends Lease {
  /** Where other replicas reach it. `undefined`: no replica with the key of the cluster has said so of late, so nothing is sent there. */
  readonly address: string | undefined
}

/** The answer to a renewal. */
export interface Renewal {
  /** How often the lease was renewed, with this renewal; `undefined` if it has ended. */
  readonly renewals: number | undefined
  /** All replicas whose leases have not ended, or ended a short time ago. */
  readonly replicas: ReadonlyArray<Replica>
  /** How often rows that are followed have changed. Another number than before: some of them are not what they were. */
  readonly changes: number
}

/** Which replica has something. */
export interface Ownership {
  /** The id of the replica. Its lease may have ended. */
  readonly owner: ReplicaId
  /** See `Replica.address`. */
  readonly address: string | undefined
  /** No other owner of it has this number, before or after. Of a server: how often it has had an owner; the next one has a higher number. */
  readonly generation: number
}

/** What replicas have, by its name: at any moment each has one owner at most. */
export interface Claims {
  /** Which replica has it; `undefined` if none does: none has taken it, or the lease of the last one has ended. */
  readonly find: (name: string) => Effect.Effect<Ownership | undefined, StoreError>
  /**
   * Takes what no replica has, if the lease of the taker has not ended. Returns who has it then. `instead`: a generation with which the taker
   * may still have it, and which it wants to replace by a new one, because its `release` was not answered.
   */
  readonly claim: (
    id: ReplicaId,
    name: string,
    instead?: number
  ) => Effect.Effect<Ownership | undefined, StoreError>
  /**
   * Gives it back, if this replica has it with this generation. If that is not answered, it may happen at any time later, so it must not be
   * used with this generation again.
   */
  readonly release: (id: ReplicaId, name: string, generation: number) => Effect.Effect<void, StoreError>
}

/** A server, and which replica runs it. */
export interface ServerRow extends Ownership {
  readonly server: string
  /** When the owner has taken it, in milliseconds since 1970, by the clock of the store. */
  readonly since: number
}

/** What is to become of a row. */
export interface Change {
  readonly collection: string
  readonly key: string
  /** The text that it has to have; `undefined`: that there is none. */
  readonly before: string | undefined
  /** The text that it gets; `undefined`: there is none. */
  readonly text: string | undefined
  /** Whether this counts in `Renewal.changes`. Default: false. */
  readonly isFollowed?: boolean | undefined
  /** Whether this is no use of the row, which becomes as old as it was. Default: false. */
  readonly keepsAge?: boolean | undefined
}

/** Where a row is. */
export interface Place {
  readonly collection: string
  readonly key: string
}

/** Limits of a collection. */
export interface RowLimits {
  readonly maxRows: number
  /** How long an unused row is kept, in milliseconds, by the clock of the store. */
  readonly maxUnused: number
}

/** Texts that all replicas have in common, by collections and keys. The text of a row is never empty. */
export interface Rows {
  readonly get: (collection: string, key: string) => Effect.Effect<string | undefined, StoreError>
  /** All rows of a collection, by their keys. */
  readonly entries: (
    collection: string
  ) => Effect.Effect<ReadonlyArray<readonly [key: string, text: string]>, StoreError>
  /**
   * Changes a row, if it is as it has to be. Returns what is there then: `text` if it was changed, or had been before. So if it is not
   * answered, it can be asked for again.
   */
  readonly change: (change: Change) => Effect.Effect<string | undefined, StoreError>
  /** The next rows of all collections after a place, in some order that stays the same; from the beginning on without one. */
  readonly after: (
    place: Place | undefined,
    maxRows: number
  ) => Effect.Effect<ReadonlyArray<Place & { readonly text: string }>, StoreError>
  /** Says that a row was used. A change of it says so, too. */
  readonly use: (collection: string, key: string) => Effect.Effect<void, StoreError>
  /** Some of the rows that are too much, at most 1,000: those that were unused for longest. `maxChars`: in their texts, about. */
  readonly excess: (
    collection: string,
    limits: { readonly maxRows: number; readonly maxChars: number }
  ) => Effect.Effect<ReadonlyArray<readonly [key: string, text: string]>, StoreError>
  /** Removes what is too much: what was unused for longest. That does not count as a change. */
  readonly prune: (collection: string, limits: RowLimits) => Effect.Effect<void, StoreError>
}

/** Its own claims are those of servers. */
export interface ClusterStore extends Claims {
  /**
   * Adds a replica, with a lease that was never renewed. Forgets replicas that ended an hour ago, and sessions and locks whose owner has
   * ended and that were taken more than 31 days ago.
   */
  readonly join: (id: ReplicaId, address: string) => Effect.Effect<void, StoreError>
  /** Renews a lease, unless it has ended, and names its witnesses. */
  readonly renew: (id: ReplicaId, witnesses: ReadonlyArray<ReplicaId>) => Effect.Effect<Renewal, StoreError>
  /** Ends a lease if it has been renewed exactly this often; with `undefined` in any case. True if it has ended now. */
  readonly end: (id: ReplicaId, renewals: number | undefined) => Effect.Effect<boolean, StoreError>
  /** How many servers each replica runs; those that run none may be left out. */
  readonly loads: Effect.Effect<Loads, StoreError>
  /** All servers that replicas run, by their names. */
  readonly servers: Effect.Effect<ReadonlyArray<ServerRow>, StoreError>
  /** In which replica the session of a client lives, by a hash of its id. */
  readonly sessions: Claims
  /** What only one replica may do at a time. */
  readonly locks: Claims
  readonly rows: Rows
}
