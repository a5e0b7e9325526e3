/**
 * MCP servers that run once in a cluster of processes, whichever of them has it.
 *
 * For programs: `Cluster`, `ClusterBackend`, `PostgresStore`, and the types that these show; for their tests, `testing`. The rest is for Lifeline's gateway, and
 * may change in any version.
 */
export type { WantedServer } from "./Balance.js"
export * as Cluster from "./Cluster.js"
export * as ClusterBackend from "./ClusterBackend.js"
export type { ClusterKey, ClusterKeys } from "./ClusterKey.js"
export * as ClusterServer from "./ClusterServer.js"
export {
  type Change,
  type Claims,
  type ClusterStore,
  type Ownership,
  type Place,
  type Renewal,
  type Replica,
  type RowLimits,
  type Rows,
  type ServerRow,
  StoreError
} from "./ClusterStore.js"
export * as Hop from "./hop/Hop.js"
export * as ReplicaPaths from "./hop/ReplicaPaths.js"
export * as LeasedConnector from "./LeasedConnector.js"
export type { Lease, ReplicaId } from "./LeaseRules.js"
export * as Membership from "./Membership.js"
export { type Answers, PeerError, type Peers } from "./Peers.js"
export * as PostgresStore from "./PostgresStore.js"
export * as SessionHomes from "./sessions/SessionHomes.js"
export * as SessionRouter from "./sessions/SessionRouter.js"
export * as ClusterSessionRecords from "./state/ClusterSessionRecords.js"
export * as ClusterState from "./state/ClusterState.js"
export * as KeyChange from "./state/KeyChange.js"
export { defaults, type Terms, termsBounds, termsOf, type TermsOptions } from "./Terms.js"
export * as Watchdog from "./Watchdog.js"
