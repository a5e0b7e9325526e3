/**
 * What the API does for one gateway; `ClusterOperations` does it for a cluster.
 */
import { Effect, type Scope, type Stream } from "effect"
import type * as EventLog from "../log/EventLog.js"
import type * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import type { ApprovedServer, ChangedServer, GatewayStatus, ServerDetails } from "./GatewayStatus.js"
import * as ServerCommands from "./ServerCommands.js"
import { gatewayStatus, serverDetails } from "./statusOf.js"

export interface LogQuery {
  readonly limit: number
  readonly server: string | undefined
  /** In milliseconds since 1970. */
  readonly since: number | undefined
}

type Command<E> = (server: string) => Effect.Effect<ChangedServer, E>

export interface Operations {
  readonly status: Effect.Effect<GatewayStatus>
  /** With what other replicas said last, without asking them. */
  readonly statusNow: Effect.Effect<GatewayStatus>
  /** Asks other replicas again and again until the scope closes. Ends when it has asked once. */
  readonly follow: Effect.Effect<void, never, Scope.Scope>
  readonly server: (name: string) => Effect.Effect<ServerDetails, Api.NotFound>
  readonly logs: (query: LogQuery) => Effect.Effect<ReadonlyArray<EventLog.Entry>, Api.NotFound>
  readonly lines: Stream.Stream<EventLog.Entry>
  readonly reconnect: Command<Api.NotFound | Api.ServerFailed>
  readonly enable: Command<Api.NotFound | Api.ServerFailed>
  readonly disable: Command<Api.NotFound | Api.ServerFailed>
  /** `allows`: whether the caller may use a tool; default: each. */
  readonly approve: (server: string, allows?: (tool: string) => boolean) => Effect.Effect<ApprovedServer, Api.NotFound>
}

export const make = (gateway: Gateway): Operations => {
  const { log } = gateway.record
  const status = gatewayStatus(gateway)
  return {
    status,
    statusNow: status,
    follow: Effect.void,
    server: (name) => serverDetails(gateway, name),
    logs: ({ limit, server, since }) =>
      Effect.map(
        // One that is not configured any more may have lines.
        server === undefined || log.last(1, server).length > 0
          ? Effect.void
          : ServerCommands.requireServer(gateway, server),
        () => log.last(limit, server, since)
      ),
    lines: log.added,
    ...ServerCommands.make(gateway)
  }
}
