/**
 * What can be known about a backend at one moment.
 */
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Kind } from "./Catalog.js"
import type { Peer } from "./Connection.js"
import type { Connector } from "./Connector.js"
import * as Health from "./Health.js"
import { type KeepaliveStatus, statusOf as keepaliveStatus } from "./Keepalive.js"
import type { StateName } from "./Lifecycle.js"
import type { Journal } from "./Slot.js"
import type { Supervisor } from "./Supervisor.js"

export type { KeepaliveStatus } from "./Keepalive.js"

/** An immutable account of a backend. Times are milliseconds since the epoch, durations milliseconds. */
export interface Status {
  readonly backend: string
  readonly state: StateName
  /** Number of the last installed runtime; 0 before the first. */
  readonly generation: number
  /** `CONNECTED`, `UNHEALTHY` or `DISCONNECTED` (H6). */
  readonly health: "CONNECTED" | "UNHEALTHY" | "DISCONNECTED"
  /** Last ten probes, newest heaviest: 1 is perfect (H5). */
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
  /** Why the backend is or was down; cleared once the connection has proved stable. */
  readonly lastError: string | undefined
  readonly lastErrorAt: number | undefined
  readonly lastCloseError: string | undefined
  /** Closes that were abandoned after `timeouts.close`. */
  readonly abandonedCloses: number
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
  readonly catalog: {
    readonly generation: number
    readonly revision: number
    readonly stale: boolean
    readonly tools: number
    /** The lists that were cut: too long (`discovery.maxEntries`, `discovery.maxPages`), or without an end. */
    readonly truncated: ReadonlyArray<Kind>
  } | undefined
}

/** How much of a session id is shown (T8). */
const shown = 8

/** The account of this moment. */
export const statusOf = (journal: Journal, supervisor: Supervisor, connector: Connector): Status => {
  const { id, memory, policy, tally } = journal
  const slot = journal.cell.get()
  const { current, generation, nextAttemptAt, snapshot, state } = slot
  const now = journal.now()
  const connection = current?.connection
  const uptime = current === undefined ? 0 : now - current.runtime.installedAt
  const stable = current !== undefined && uptime >= policy.reconnect.stableAfter
  const lastError = stable ? undefined : slot.lastError
  return {
    backend: id,
    state: state._tag,
    generation,
    health: Health.view(state, tally.history, tally.connections > 0),
    healthScore: Health.score(tally.history),
    transport: connector.transport,
    target: connector.target,
    peer: connection?.peer,
    sessionId: connection?.sessionId?.slice(0, shown),
    serverInfo: connection?.serverInfo ?? snapshot?.serverInfo,
    protocolVersion: connection?.protocolVersion ?? snapshot?.protocolVersion,
    connectedAt: current?.runtime.installedAt,
    uptime,
    totalUptime: tally.pastUptime + uptime,
    connectionCount: tally.connections,
    reconnectCount: tally.reconnects,
    errorCount: tally.errors,
    lastError: lastError?.message,
    lastErrorAt: lastError?.at,
    lastCloseError: tally.lastCloseError,
    abandonedCloses: tally.abandonedCloses,
    lastAttemptAt: tally.lastAttemptAt,
    lastSuccessAt: tally.lastSuccessAt,
    nextAttemptAt,
    failedAttempts: stable ? 0 : supervisor.budget.failures,
    failures: {
      discovery: current?.runtime.vitals.discoveryFailures ?? 0,
      request: current?.runtime.vitals.requestFailures ?? 0
    },
    inFlight: current?.runtime.vitals.inFlight ?? 0,
    waiting: supervisor.calls.waiting,
    keepalive: keepaliveStatus(policy, memory, connection),
    catalog: snapshot && {
      generation: snapshot.generation,
      revision: snapshot.revision,
      stale: snapshot.stale,
      tools: snapshot.tools.length,
      truncated: snapshot.truncated
    }
  }
}
