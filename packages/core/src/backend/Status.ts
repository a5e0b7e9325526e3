/**
 * What can be known about a backend at one moment.
 */
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Kind } from "../catalog/Kind.js"
import type { StateName } from "../lifecycle/States.js"
import type { Peer } from "../port/Loss.js"

/** Whether keepalive runs, and why not. */
export interface KeepaliveStatus {
  readonly state: "running" | "off" | "paused" | "disabled"
  readonly method: string
  /** Why it is off, paused or disabled. */
  readonly reason: string | undefined
  /** When an open breaker is probed next, in milliseconds since the epoch. */
  readonly reprobeAt: number | undefined
}

/** An immutable account of a backend at one moment. Times are milliseconds since the epoch, durations milliseconds. */
export interface Status {
  readonly backend: string
  readonly state: StateName
  /** Number of the last connection; 0 before the first. */
  readonly generation: number
  readonly health: "CONNECTED" | "UNHEALTHY" | "DISCONNECTED"
  /** Last ten probes, newest heaviest: 1 is perfect. */
  readonly healthScore: number
  /** `stdio`, `http`, or what a connector calls itself. */
  readonly transport: string
  /** The command or the address, without credentials. */
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
  /** Why it is or was down; cleared once the connection is stable. */
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
