/**
 * What a gateway that is one of several does otherwise. The gateway knows no more of a cluster than this; `ClusterReplica` has the rest.
 */
import type { Backend, Connector } from "@mcp-lifeline/core"
import type { SealedId } from "@mcp-lifeline/http-server"
import type { McpEndpoint, Options as EndpointOptions } from "@mcp-lifeline/http-server/McpEndpoint"
import type { SessionRecords } from "@mcp-lifeline/http-server/SessionRecords"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import type { Effect, Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Gateways } from "./Gateways.js"

/** A server that runs once in the cluster. */
export interface Shared {
  readonly name: string
  readonly local: Connector
  /** Whether this replica may run it: not while others have a newer configuration of it. Must not throw. */
  readonly mayRun: () => boolean
  /** Its backend on this replica, which may be replaced by another one. Not called before there is one; must not throw. */
  readonly backend: () => Backend.Backend
}

/** The sessions of clients, which any replica serves. */
export interface Sessions extends Required<Pick<EndpointOptions, "onEnded">> {
  readonly home: NonNullable<EndpointOptions["home"]>
  /** Serves them through an endpoint. The scope ends the requests that are on their way. */
  readonly serve: (
    endpoint: Pick<McpEndpoint, "handle" | "has">,
    seal: SealedId.Seal
  ) => Effect.Effect<SessionRoutes, never, Scope.Scope>
}

/** How requests of clients get to where their sessions live. */
export interface SessionRoutes {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** Takes no more requests from other replicas. */
  readonly leave: () => void
  /** Ends when no request is on its way to another replica. */
  readonly drained: Effect.Effect<void>
}

export interface Replica {
  readonly gateways: Gateways
  /** What each server needs in its environment. */
  readonly env: Readonly<Record<string, string>>
  /** What all replicas keep together, in place of the state folder. */
  readonly state: StateFolder["Type"]
  /** What all replicas remember of sessions. */
  readonly records: SessionRecords
  /** The connector of a server that belongs to a client whose session lives here: it ends with the lease of this replica. */
  readonly own: (connector: Connector) => Connector
  /** The connector of a server that runs once. When the scope closes, another replica may run it: close its backend first. */
  readonly shared: (server: Shared) => Effect.Effect<Connector, never, Scope.Scope>
  /**
   * Gives all servers that run once to the other replicas, so that no call fails. To be done when no client of this replica calls any more,
   * and before their backends close.
   */
  readonly leave: Effect.Effect<void>
  /** `lapsed`: ends all sessions here, because this replica's lease has ended. */
  readonly sessions: (lapsed: Effect.Effect<void>) => Effect.Effect<Sessions, never, Scope.Scope>
}
