/**
 * The port for what replicas ask each other when they end leases, or cannot renew theirs.
 */
import { Data, type Effect } from "effect"
import type { Replica } from "./ClusterStore.js"
import type { ReplicaId } from "./LeaseRules.js"

/** The other replica did not answer, or is not the one that was asked. */
export class PeerError extends Data.TaggedError("PeerError")<{ readonly message: string }> {}

/** What a replica is asked. Each answer is final when it is given. */
export interface Answers {
  /** Whether it promises `from` not to end its lease, which was renewed this often, for the time of a lease. */
  readonly promise: (from: ReplicaId, renewals: number) => boolean
  /** Whether it consents to the end of the lease of `of`, and promises nothing for this renewal any more. */
  readonly consent: (of: ReplicaId, renewals: number) => boolean
}

/** Asks other replicas. An answer counts only if it comes from the replica of this id: after a restart it is another one. */
export type Peers = {
  readonly [K in keyof Answers]: (
    to: Replica,
    ...asked: Parameters<Answers[K]>
  ) => Effect.Effect<ReturnType<Answers[K]>, PeerError>
}
