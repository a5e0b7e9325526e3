/**
 * The gateways of a cluster, as one of them sees the others: who they are, how it asks them, and what they ask of it.
 */
import type { ReplicaPaths } from "@mcp-lifeline/cluster"
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import type { Effect, Scope } from "effect"

/** A replica, as people and programs see it. */
export interface ReplicaName {
  /** The beginning of its id, which is another one after each lease that has ended. */
  readonly id: string
  /** Where the other replicas reach it, without a path. */
  readonly address: string
}

/** Requests that have come from other replicas, for a server that runs here. */
export interface PassedCounts {
  readonly total: number
  readonly failed: number
  readonly givenUp: number
  readonly inFlight: number
}

export interface Gateways {
  readonly own: () => ReplicaName
  /** The others: those whose leases have not ended, as far as this one knows. */
  readonly others: () => ReadonlyArray<ReplicaName>
  /** From when on this replica has a server, in milliseconds since 1970; `undefined` if it does not. */
  readonly ownedSince: (server: string) => number | undefined
  readonly passedTo: (server: string) => PassedCounts
  /** The way to the API of another replica. */
  readonly api: (replica: ReplicaName) => ReplicaPaths.Way
  /** The way to its pages of logins, and to nothing else. */
  readonly logins: (replica: ReplicaName) => ReplicaPaths.Way
  /** Answers requests of the others, which come without the prefix, until the scope closes. */
  readonly answer: (handler: Handler) => Effect.Effect<void, never, Scope.Scope>
}
