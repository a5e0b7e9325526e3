/** All that the gateway knows of a cluster. */
import type { ClusterServer, SessionRouter } from "@mcp-lifeline/cluster"
import type { Connector } from "@mcp-lifeline/core"
import type { Options as EndpointOptions } from "@mcp-lifeline/http-server/McpEndpoint"
import type { SessionRecords } from "@mcp-lifeline/http-server/SessionRecords"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import type { Effect, Scope } from "effect"
import type { Gateways } from "./Gateways.js"

export interface Sessions extends Required<Pick<EndpointOptions, "onEnded">> {
  readonly home: NonNullable<EndpointOptions["home"]>
  /** The scope ends the requests that are on their way. */
  readonly serve: (
    options: Pick<SessionRouter.Options, "endpoint" | "seal">
  ) => Effect.Effect<SessionRoutes, never, Scope.Scope>
}

export type SessionRoutes = Pick<SessionRouter.SessionRouter, "handle" | "leave" | "drained">

export interface Replica {
  readonly gateways: Gateways
  /** For the environment of each server. */
  readonly env: Readonly<Record<string, string>>
  /** In place of the state folder. */
  readonly state: StateFolder["Type"]
  readonly records: SessionRecords
  /** For a server of a client whose session lives here: it ends with the lease of this replica. */
  readonly own: (connector: Connector) => Connector
  /** For a server that runs once in the cluster. When the scope closes, another replica may run it: close its backend first. */
  readonly shared: (
    server: Omit<ClusterServer.Options, "cluster" | "whileOwned">
  ) => Effect.Effect<Connector, never, Scope.Scope>
  /**
   * Gives these servers to the other replicas, so that no call fails: when no client here calls any more, and before their backends close.
   */
  readonly leave: Effect.Effect<void>
  /** `lapsed`: ends all sessions here, because the lease has ended. */
  readonly sessions: (lapsed: Effect.Effect<void>) => Effect.Effect<Sessions, never, Scope.Scope>
}
