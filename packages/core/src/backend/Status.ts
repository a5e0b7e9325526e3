/**
 * What can be known about a backend at one moment.
 */
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Kind } from "../catalog/Kind.js"
import type { StateName } from "../lifecycle/States.js"
import type { Peer } from "../port/Loss.js"

/** Whether keepalive runs, and why not. */
export interface KeepaliveStatus {
  /** `disabled`: its breaker is open. */
  readonly state: "running" | "off" | "paused" | "disabled"
  /** What is sent: `ping`, `tool:<name>`, `options` or `none`. */
  readonly method: string
  /** Why it is off, paused or disabled. */
  readonly reason: string | undefined
  /** When an open breaker is probed next, in milliseconds since the epoch. */
  readonly reprobeAt: number | undefined
}

/** An immutable account of a backend at one moment. Times are milliseconds since the epoch, durations milliseconds. */
export interface Status {
  /** Its name. */
  readonly backend: string
  /** Where it is. */
  readonly state: StateName
  /** Number of the last connection; 0 before the first. */
  readonly generation: number
  /** Whether it can be used: connected with a good score; coming back, or with a bad score; or neither. */
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
  /** Name and version that the server gave; kept while it is down. */
  readonly serverInfo: Implementation | undefined
  /** The version of MCP that was agreed on; kept while it is down. */
  readonly protocolVersion: string | undefined
  /** Whether this connection goes on with the session of the one before it, which the network had failed. */
  readonly resumed: boolean
  /** When this connection was made. */
  readonly connectedAt: number | undefined
  /** Of this connection. */
  readonly uptime: number
  /** Of all connections. */
  readonly totalUptime: number
  /** Connections that were made. */
  readonly connectionCount: number
  /** The same without the first. */
  readonly reconnectCount: number
  /** Attempts that failed and connections that were lost. */
  readonly errorCount: number
  /** Why it is or was down; cleared once the connection is stable. */
  readonly lastError: string | undefined
  /** When that was. */
  readonly lastErrorAt: number | undefined
  /** Why the last close that went wrong did. */
  readonly lastCloseError: string | undefined
  /** Closes that were abandoned after `timeouts.close`. */
  readonly abandonedCloses: number
  /** How many sessions the server has forgotten; each was replaced at once. `warning`: that it keeps forgetting them, and why. */
  readonly lostSessions: { readonly count: number; readonly warning: string | undefined }
  /** When the last attempt to connect began. */
  readonly lastAttemptAt: number | undefined
  /** When a connection was last made. */
  readonly lastSuccessAt: number | undefined
  /** When the next attempt is due, where one is. */
  readonly nextAttemptAt: number | undefined
  /** Attempts that have failed since the last stable connection. */
  readonly failedAttempts: number
  /** Consecutive failures of the current generation. */
  readonly failures: { readonly discovery: number; readonly request: number }
  /** Calls that were sent and are not answered. */
  readonly inFlight: number
  /** Calls that wait for a connection. */
  readonly waiting: number
  /** Whether heartbeats are sent. */
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
