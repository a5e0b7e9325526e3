/**
 * The port for what all replicas of a cluster have in common: their leases, and which of them runs which server. Every operation is one
 * step: it happens as a whole, or not at all.
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
  /** Where other replicas reach it. */
  readonly address: string
}

/** The answer to a renewal. */
export interface Renewal {
  /** How often the lease was renewed, with this renewal; `undefined` if it has ended. */
  readonly renewals: number | undefined
  /** All replicas whose leases have not ended, or ended a short time ago. */
  readonly replicas: ReadonlyArray<Replica>
}

/** Which replica runs a server. */
export interface Ownership {
  /** The id of the replica. Its lease may have ended. */
  readonly owner: ReplicaId
  /** Where it is reached. */
  readonly address: string
  /** How often the server has had an owner; the next one has a higher number. */
  readonly generation: number
}

/** A server, and which replica runs it. */
export interface ServerRow extends Ownership {
  readonly server: string
  /** When the owner has taken it, in milliseconds since 1970, by the clock of the store. */
  readonly since: number
}

/** See the head of the file. */
export interface ClusterStore {
  /** Adds a replica, with a lease that was never renewed. */
  readonly join: (id: ReplicaId, address: string) => Effect.Effect<void, StoreError>
  /** Renews a lease, unless it has ended, and names its witnesses. */
  readonly renew: (id: ReplicaId, witnesses: ReadonlyArray<ReplicaId>) => Effect.Effect<Renewal, StoreError>
  /** Ends a lease if it has been renewed exactly this often; with `undefined` in any case. True if it has ended now. */
  readonly end: (id: ReplicaId, renewals: number | undefined) => Effect.Effect<boolean, StoreError>
  /** Which replica runs a server; `undefined` if none does: none has taken it, or the lease of the last one has ended. */
  readonly find: (server: string) => Effect.Effect<Ownership | undefined, StoreError>
  /**
   * Takes a server that no replica runs, if the lease of the taker has not ended. Returns who has it then. `instead`: a generation with which
   * the taker may still have it, and which it wants to replace by a new one, because its `release` was not answered.
   */
  readonly claim: (
    id: ReplicaId,
    server: string,
    instead?: number
  ) => Effect.Effect<Ownership | undefined, StoreError>
  /**
   * Gives a server back, if this replica has it with this generation. If that is not answered, it may happen at any time later, so the
   * server must not be run with this generation again.
   */
  readonly release: (id: ReplicaId, server: string, generation: number) => Effect.Effect<void, StoreError>
  /** How many servers each replica runs; those that run none may be left out. */
  readonly loads: Effect.Effect<Loads, StoreError>
  /** All servers that replicas run, by their names. */
  readonly servers: Effect.Effect<ReadonlyArray<ServerRow>, StoreError>
}
