/** The status of a backend at one moment. */
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Kind } from "../catalog/Kind.js"
import type { StateName } from "../lifecycle/States.js"
import type { Reason } from "../observe/Reason.js"
import type { ConnectorStatus } from "../port/ConnectorStatus.js"
import type { Peer } from "../port/Peer.js"
import type { LimitStatus, ResourceUsage } from "../port/ResourceUsage.js"
import type { Shown } from "../port/Shown.js"

/** Whether keepalive runs, and why not. */
export interface KeepaliveStatus {
  /** `disabled`: it has switched itself off, because heartbeats failed while calls succeeded. */
  readonly state: "running" | "off" | "paused" | "disabled"
  /** The kind of heartbeat: `ping`, `tool:<name>`, `options` or `none`. */
  readonly method: string
  /** Why it is off, paused or disabled. */
  readonly reason: string | undefined
  /** When keepalive tries again after it switched itself off, in milliseconds since the epoch. */
  readonly reprobeAt: number | undefined
}

/** What Lifeline thinks of a server that leaves something without an answer. */
export interface OpenVerdict {
  /**
   * `busy`: its processes work, so it is kept as long as a caller waits, or for `health.busyLimit`. `unknown`: nothing proves anything yet.
   * `wedged`: it will not answer any more, and its connection is being replaced.
   */
  readonly kind: "busy" | "unknown" | "wedged"
  /** The evidence. */
  readonly reason: string
  /** Since when. */
  readonly since: number
}

/** The status of a backend at one moment; immutable. Times are milliseconds since the epoch, durations milliseconds. */
export interface Status extends ConnectorStatus {
  readonly backend: string
  readonly state: StateName
  /** Number of the last connection; 0 before the first. */
  readonly generation: number
  /** CONNECTED: connected with a good health score. UNHEALTHY: reconnecting, or connected with a bad score. DISCONNECTED: neither. */
  readonly health: "CONNECTED" | "UNHEALTHY" | "DISCONNECTED"
  /** A weighted mean of the last ten signs of life (probes, and answered requests at a pace), in which the newest weighs most. 1 is perfect. */
  readonly healthScore: number
  /** `stdio`, `http`, or what a connector calls itself. */
  readonly transport: string
  /** The command or the address, without credentials. */
  readonly target: string
  /** The process or address of the current connection. */
  readonly peer: Peer | undefined
  /**
   * What the processes of the current connection use of this machine, as measured last: every 5 s with `maxMemory`, otherwise every 15 s.
   * `undefined` before the first measurement, and where it is not measured: for servers over HTTP.
   */
  readonly usage: ResourceUsage | undefined
  /** The memory limit of the server; `undefined` without `maxMemory`. */
  readonly memoryLimit: LimitStatus | undefined
  /** The first eight characters of the session id. */
  readonly sessionId: string | undefined
  /** Name and version that the server gave; kept while it is down. */
  readonly serverInfo: Implementation | undefined
  /** The negotiated version of MCP; kept while the server is down. */
  readonly protocolVersion: string | undefined
  /** Whether this connection resumed the session of the one before it, after a network failure. */
  readonly resumed: boolean
  /** When this connection was made. */
  readonly connectedAt: number | undefined
  /** How long this connection has lasted. */
  readonly uptime: number
  /** How long all connections together have lasted. */
  readonly totalUptime: number
  /** How many connections were made. */
  readonly connectionCount: number
  /** How many connections were made after the first. */
  readonly reconnectCount: number
  /** How many attempts failed and connections were lost. */
  readonly errorCount: number
  /** Why it is or was down; cleared when the connection is stable. */
  readonly lastError: string | undefined
  /** When `lastError` happened. */
  readonly lastErrorAt: number | undefined
  /** The code of `lastError`. */
  readonly lastReason: Reason | undefined
  /** The error of the last connection that could not be closed. */
  readonly lastCloseError: string | undefined
  /** How many closes were abandoned after `timeouts.close`. */
  readonly abandonedCloses: number
  /** How many sessions the server has forgotten; each was replaced at once. `warning` is set if it keeps forgetting them. */
  readonly lostSessions: { readonly count: number; readonly warning: string | undefined }
  /** When the last attempt to connect began. */
  readonly lastAttemptAt: number | undefined
  /** When the process was started that has not answered yet though its attempt is over (`stdio.startLimit`); `undefined` if there is none. */
  readonly startingSince?: number | undefined
  /** When a connection was last made. */
  readonly lastSuccessAt: number | undefined
  /** When the next attempt is due; `undefined` if none is. */
  readonly nextAttemptAt: number | undefined
  /** Attempts that have failed since the last stable connection. */
  readonly failedAttempts: number
  /** The verdict on a server that leaves something without an answer, or that is starting for seconds; `undefined` otherwise. */
  readonly verdict?: OpenVerdict | undefined
  /** What the server has shown of itself, over all connections. Evidence for `verdict`. */
  readonly learned?: Omit<Shown, "server"> | undefined
  /** Questions in a row (heartbeats and probes) that this connection has left without a good answer. */
  readonly failures: number
  /** How many calls are in flight. */
  readonly inFlight: number
  /** How many calls wait: for a connection, or for the verdict on one in doubt. */
  readonly waiting: number
  /** How many calls wait for their turn (`calls.concurrency`, and that of `tools`). */
  readonly queued: number
  /**
   * Calls since the backend was made. `givenUp`: how many their callers gave up, by a timeout of their own or a cancellation, before they
   * had a result or an error.
   */
  readonly calls: { readonly givenUp: number }
  /** Which names and patterns of the option `tools` match nothing that the server has, and what was probably `meant`. */
  readonly toolOptions: {
    readonly unmatched: ReadonlyArray<{ readonly pattern: string; readonly meant: string | undefined }>
    readonly warning: string | undefined
  }
  /** Whether heartbeats are sent. */
  readonly keepalive: KeepaliveStatus
  /** The state of the lists; `undefined` before they are read, as with `discovery.mode: "learn"` at first. */
  readonly catalog: {
    readonly generation: number
    readonly revision: number
    readonly stale: boolean
    /** How many tools callers are offered. */
    readonly tools: number
    /** The lists that were cut: too long (`discovery.maxEntries`, `discovery.maxPages`), or without an end. */
    readonly truncated: ReadonlyArray<Kind>
  } | undefined
}
