import { Data, type Effect } from "effect"
import type { Replica } from "./ClusterStore.js"
import type { ReplicaId } from "./LeaseRules.js"

/** No answer, or not from the replica that was asked. */
export class PeerError extends Data.TaggedError("PeerError")<{ readonly message: string }> {}

/** Each answer is final. */
export interface Answers {
  /** Not to end this lease of `from`, renewed this often, for the time of a lease. */
  readonly promise: (from: ReplicaId, renewals: number) => boolean
  /** To the end of the lease of `of`; no promise for this renewal any more. */
  readonly consent: (of: ReplicaId, renewals: number) => boolean
}

/** An answer counts only from the replica of this id, which a restart changes. */
export type Peers = {
  readonly [K in keyof Answers]: (
    to: Replica,
    ...asked: Parameters<Answers[K]>
  ) => Effect.Effect<ReturnType<Answers[K]>, PeerError>
}
