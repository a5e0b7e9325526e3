/** The port for what all replicas share. Every operation is atomic. */
import { Data, type Effect } from "effect"
import type { Lease, ReplicaId } from "./LeaseRules.js"
import type { Loads } from "./placement.js"

/** It did not answer, or refused. The operation may have happened, or may happen later. */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface Replica extends Lease {
  /** undefined if no replica with the cluster's key has sealed it of late: nothing is sent there. */
  readonly address: string | undefined
}

export interface Renewal {
  /** With this one; undefined if the lease has ended. */
  readonly renewals: number | undefined
  /** Also those whose leases ended recently. */
  readonly replicas: ReadonlyArray<Replica>
  /** Differs after each change of a followed row. */
  readonly changes: number
}

export interface Ownership {
  /** Its lease may have ended. */
  readonly owner: ReplicaId
  readonly address: string | undefined
  /** Unique among its owners; for servers it counts up. */
  readonly generation: number
}

/** Each name has at most one owner at any moment. */
export interface Claims {
  /** undefined if none has taken it, or the last one's lease has ended. */
  readonly find: (name: string) => Effect.Effect<Ownership | undefined, StoreError>
  /**
   * Takes what no replica has, if the taker's lease has not ended, and returns the owner then. `instead`: a generation of the taker whose
   * `release` was not answered, to be replaced.
   */
  readonly claim: (
    id: ReplicaId,
    name: string,
    instead?: number
  ) => Effect.Effect<Ownership | undefined, StoreError>
  /** If this replica has it with this generation. Unanswered, it may happen at any time: never use this generation again. */
  readonly release: (id: ReplicaId, name: string, generation: number) => Effect.Effect<void, StoreError>
}

export interface ServerRow extends Ownership {
  readonly server: string
  /** In milliseconds since 1970, by the store's clock. */
  readonly since: number
}

export interface Change {
  readonly collection: string
  readonly key: string
  /** The text that must be there; undefined for none. */
  readonly before: string | undefined
  /** The new text; undefined removes the row. */
  readonly text: string | undefined
  /** Counts in `Renewal.changes`. Default: false. */
  readonly isFollowed?: boolean | undefined
  /** The row stays as old as it was. Default: false. */
  readonly keepsAge?: boolean | undefined
}

export interface Place {
  readonly collection: string
  readonly key: string
}

export interface RowLimits {
  readonly maxRows: number
  /** In milliseconds of the store's clock. */
  readonly maxUnused: number
}

/** No text is empty. */
export interface Rows {
  readonly get: (collection: string, key: string) => Effect.Effect<string | undefined, StoreError>
  readonly entries: (
    collection: string
  ) => Effect.Effect<ReadonlyArray<readonly [key: string, text: string]>, StoreError>
  /** Changes a row if its text is `before`, and returns the text then: `text` also if it was changed before, so it can be repeated. */
  readonly change: (change: Change) => Effect.Effect<string | undefined, StoreError>
  /** Of all collections, in a stable order; from the beginning without a place. */
  readonly after: (
    place: Place | undefined,
    maxRows: number
  ) => Effect.Effect<ReadonlyArray<Place & { readonly text: string }>, StoreError>
  readonly use: (collection: string, key: string) => Effect.Effect<void, StoreError>
  /** At most 1,000 of those beyond the limits, unused for longest. `maxChars`: in their texts, about. */
  readonly excess: (
    collection: string,
    limits: { readonly maxRows: number; readonly maxChars: number }
  ) => Effect.Effect<ReadonlyArray<readonly [key: string, text: string]>, StoreError>
  /** Unused for longest first. Does not count as a change. */
  readonly prune: (collection: string, limits: RowLimits) => Effect.Effect<void, StoreError>
}

/** Its own claims are those of servers. */
export interface ClusterStore extends Claims {
  /** With a lease that was never renewed. Forgets replicas that ended an hour ago, and sessions and locks of ended owners, taken 31 days ago. */
  readonly join: (id: ReplicaId, address: string) => Effect.Effect<void, StoreError>
  /** Unless the lease has ended. */
  readonly renew: (id: ReplicaId, witnesses: ReadonlyArray<ReplicaId>) => Effect.Effect<Renewal, StoreError>
  /** If it was renewed exactly this often; with `undefined` in any case. True if it has ended now. */
  readonly end: (id: ReplicaId, renewals: number | undefined) => Effect.Effect<boolean, StoreError>
  readonly loads: Effect.Effect<Loads, StoreError>
  readonly servers: Effect.Effect<ReadonlyArray<ServerRow>, StoreError>
  /** By a hash of their ids. */
  readonly sessions: Claims
  readonly locks: Claims
  readonly rows: Rows
}
