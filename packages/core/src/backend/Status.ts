/**
 * What can be known about a backend at one moment.
 */
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Kind } from "../catalog/Catalog.js"
import * as Health from "../health/Health.js"
import { type KeepaliveStatus, statusOf as keepaliveStatus } from "../keepalive/KeepaliveState.js"
import type { BackendState } from "../lifecycle/BackendState.js"
import type { StateName } from "../lifecycle/Lifecycle.js"
import type { Supervisor } from "../lifecycle/Supervisor.js"
import type { Peer } from "../port/Connection.js"
import type { Connector } from "../port/Connector.js"

export type { KeepaliveStatus } from "../keepalive/KeepaliveState.js"

/** An immutable account of a backend. Times are milliseconds since the epoch, durations milliseconds. */
export interface Status {
  readonly backend: string
  readonly state: StateName
  /** Number of the last installed runtime; 0 before the first. */
  readonly generation: number
  /** `CONNECTED`, `UNHEALTHY` or `DISCONNECTED`. */
  readonly health: "CONNECTED" | "UNHEALTHY" | "DISCONNECTED"
  /** Last ten probes, newest heaviest: 1 is perfect. */
  readonly healthScore: number
  readonly transport: string
  readonly target: string
  /** The process or address of the current connection. */
  readonly peer: Peer | undefined
  /** The first eight characters. */
  readonly sessionId: string | undefined
  readonly serverInfo: Implementation | undefined
  readonly protocolVersion: string | undefined
  readonly connectedAt: number | undefined
  /** Of this connection. */
  readonly uptime: number
  /** Of all connections. */
  readonly totalUptime: number
  readonly connectionCount: number
  readonly reconnectCount: number
  readonly errorCount: number
  /** Why the backend is or was down; cleared once the connection is stable. */
  readonly lastError: string | undefined
  readonly lastErrorAt: number | undefined
  readonly lastCloseError: string | undefined
  /** Closes that were abandoned after `timeouts.close`. */
  readonly abandonedCloses: number
  /** How many sessions the server has forgotten; each was replaced at once. `warning`: that it keeps forgetting them, and why. */
  readonly lostSessions: { readonly count: number; readonly warning: string | undefined }
  readonly lastAttemptAt: number | undefined
  /** When a connection was last made. */
  readonly lastSuccessAt: number | undefined
  readonly nextAttemptAt: number | undefined
  /** Attempts that have failed since the last stable connection. */
  readonly failedAttempts: number
  /** Consecutive failures of the current generation. */
  readonly failures: { readonly discovery: number; readonly request: number }
  readonly inFlight: number
  readonly waiting: number
  readonly keepalive: KeepaliveStatus
  /** What was read of the lists; `undefined` while nothing is known of them, as with `discovery.mode: "learn"` at first. */
  readonly catalog: {
    readonly generation: number
    readonly revision: number
    readonly stale: boolean
    readonly tools: number
    /** The lists that were cut: too long (`discovery.maxEntries`, `discovery.maxPages`), or without an end. */
    readonly truncated: ReadonlyArray<Kind>
  } | undefined
}

/** How much of a session id is shown. */
const shown = 8

/** The account of this moment. */
export const statusOf = (backend: BackendState, supervisor: Supervisor, connector: Connector): Status => {
  const { counters, id, keepalive, policy, probes } = backend
  const slot = backend.published.value
  const { current, generation, nextAttemptAt, snapshot, state } = slot
  const now = backend.now()
  const connection = current?.connection
  const uptime = current === undefined ? 0 : now - current.runtime.installedAt
  const stable = current !== undefined && backend.isStable(current.runtime)
  const lastError = stable ? undefined : slot.lastError
  return {
    backend: id,
    state: state._tag,
    generation,
    health: Health.view(state, probes, counters.connections > 0),
    healthScore: Health.score(probes),
    transport: connector.transport,
    target: connector.target,
    peer: connection?.peer,
    sessionId: connection?.sessionId?.slice(0, shown),
    serverInfo: connection?.serverInfo ?? snapshot?.serverInfo,
    protocolVersion: connection?.protocolVersion ?? snapshot?.protocolVersion,
    connectedAt: current?.runtime.installedAt,
    uptime,
    totalUptime: counters.pastUptime + uptime,
    connectionCount: counters.connections,
    reconnectCount: counters.reconnects,
    errorCount: counters.errors,
    lastError: lastError?.message,
    lastErrorAt: lastError?.at,
    lastCloseError: counters.lastCloseError,
    abandonedCloses: counters.abandonedCloses,
    lostSessions: {
      count: supervisor.connecting.lostSessions.count,
      warning: supervisor.connecting.lostSessions.describe(now)
    },
    lastAttemptAt: counters.lastAttemptAt,
    lastSuccessAt: counters.lastSuccessAt,
    nextAttemptAt,
    failedAttempts: stable ? 0 : supervisor.connecting.failedAttempts,
    failures: {
      discovery: current?.runtime.failures("discovery") ?? 0,
      request: current?.runtime.failures("request") ?? 0
    },
    inFlight: current?.runtime.inFlight ?? 0,
    waiting: supervisor.calls.waiting,
    keepalive: keepaliveStatus(policy, keepalive, connection),
    catalog: snapshot && {
      generation: snapshot.generation,
      revision: snapshot.revision,
      stale: snapshot.stale,
      tools: snapshot.tools.length,
      truncated: snapshot.truncated
    }
  }
}
