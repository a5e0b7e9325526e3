/** All that the gateway knows of a cluster. */
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
  /** Not while others have a newer configuration. Must not throw. */
  readonly mayRun: () => boolean
  /** May be replaced by another one. Not called before there is one; must not throw. */
  readonly backend: () => Backend.Backend
}

export interface Sessions extends Required<Pick<EndpointOptions, "onEnded">> {
  readonly home: NonNullable<EndpointOptions["home"]>
  /** The scope ends the requests that are on their way. */
  readonly serve: (
    endpoint: Pick<McpEndpoint, "handle" | "has">,
    seal: SealedId.Seal
  ) => Effect.Effect<SessionRoutes, never, Scope.Scope>
}

export interface SessionRoutes {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** Takes no more requests from other replicas. */
  readonly leave: () => void
  /** Ends when no request is on its way to another replica. */
  readonly drained: Effect.Effect<void>
}

export interface Replica {
  readonly gateways: Gateways
  /** For the environment of each server. */
  readonly env: Readonly<Record<string, string>>
  /** In place of the state folder. */
  readonly state: StateFolder["Type"]
  readonly records: SessionRecords
  /** For a server of a client whose session lives here: it ends with the lease of this replica. */
  readonly own: (connector: Connector) => Connector
  /** When the scope closes, another replica may run the server: close its backend first. */
  readonly shared: (server: Shared) => Effect.Effect<Connector, never, Scope.Scope>
  /**
   * Gives these servers to the other replicas, so that no call fails: when no client here calls any more, and before their backends close.
   */
  readonly leave: Effect.Effect<void>
  /** `lapsed`: ends all sessions here, because the lease has ended. */
  readonly sessions: (lapsed: Effect.Effect<void>) => Effect.Effect<Sessions, never, Scope.Scope>
}
