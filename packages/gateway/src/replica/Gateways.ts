import type { ReplicaPaths } from "@mcp-lifeline/cluster"
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import type { Effect, Scope } from "effect"

export interface ReplicaName {
  /** The beginning of its id, which is another one after each lease that has ended. */
  readonly id: string
  /** Where the other replicas reach it, without a path. */
  readonly address: string
}

export interface Gateways {
  readonly own: () => ReplicaName
  /** Those whose leases have not ended, as far as this one knows. */
  readonly others: () => ReadonlyArray<ReplicaName>
  /** In milliseconds since 1970; `undefined` if this replica does not have the server. */
  readonly ownedSince: (server: string) => number | undefined
  readonly api: (replica: ReplicaName) => ReplicaPaths.Way
  /** Leads to the pages of logins, and to nothing else. */
  readonly logins: (replica: ReplicaName) => ReplicaPaths.Way
  /** Requests come without the prefix. */
  readonly answer: (handler: Handler) => Effect.Effect<void, never, Scope.Scope>
}
