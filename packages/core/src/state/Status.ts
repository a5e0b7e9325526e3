/** The shape; `statusOf` makes it. */
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Kind } from "../catalog/Kind.js"
import type { StateName } from "../lifecycle/States.js"
import type { ConnectorStatus, Peer } from "../port/ConnectorStatus.js"
import type { LimitStatus, ResourceUsage } from "../port/ResourceUsage.js"
import type { Shown } from "../port/Shown.js"
import type { Reason } from "../Reasons.js"

export interface KeepaliveStatus {
  /** `disabled`: by itself, because heartbeats failed while calls succeeded. */
  readonly state: "running" | "off" | "paused" | "disabled"
  /** `ping`, `tool:<name>`, `options` or `none`. */
  readonly method: string
  /** Why it is off, paused or disabled. */
  readonly reason: string | undefined
  /** When keepalive tries again after it switched itself off, in milliseconds since the epoch. */
  readonly reprobeAt: number | undefined
}

/** On a server that leaves something without an answer, or refuses its lists. */
export interface OpenVerdict {
  /**
   * `busy`: its processes work, so it is kept while a caller waits, or for `health.busyLimit`. `unknown`: nothing is proven yet. `wedged`: it
   * will not answer any more, and its connection is being replaced (not with `health.enforce: false`). `held`: only its silence speaks against
   * it, and others are silent too, or have just been given up.
   */
  readonly kind: "busy" | "held" | "unknown" | "wedged"
  readonly reason: string
  readonly since: number
}

/** At one moment; immutable. Times are milliseconds since the epoch, durations milliseconds. */
export interface Status extends ConnectorStatus {
  readonly backend: string
  readonly state: StateName
  /** Of the last connection; 0 before the first. */
  readonly generation: number
  /** CONNECTED: connected with a good health score. UNHEALTHY: reconnecting, or connected with a bad score. DISCONNECTED: neither. */
  readonly health: "CONNECTED" | "UNHEALTHY" | "DISCONNECTED"
  /** A weighted mean of the last ten signs of life (probes, and answered requests at a pace); the newest weighs most. 1 is perfect. */
  readonly healthScore: number
  /** `stdio`, `http`, or what a connector calls itself. */
  readonly transport: string
  /** The command or the address, without credentials. */
  readonly target: string
  /** Of the current connection. */
  readonly peer: Peer | undefined
  /**
   * What the processes of the current connection use, measured every 5 s with `maxMemory`, otherwise every 15 s. `undefined` before the first
   * measurement, and for servers over HTTP.
   */
  readonly usage: ResourceUsage | undefined
  /** `undefined` without `maxMemory`. */
  readonly memoryLimit: LimitStatus | undefined
  /** The first eight characters. */
  readonly sessionId: string | undefined
  /** Kept while the server is down. */
  readonly serverInfo: Implementation | undefined
  /** The negotiated MCP version; kept while the server is down. */
  readonly protocolVersion: string | undefined
  /** This connection resumed the session of the last, after a network failure. */
  readonly resumed: boolean
  readonly connectedAt: number | undefined
  /** Of this connection. */
  readonly uptime: number
  /** Of all connections. */
  readonly totalUptime: number
  readonly connectionCount: number
  /** Connections after the first. */
  readonly reconnectCount: number
  /** Failed attempts and lost connections. */
  readonly errorCount: number
  /** Why it is or was down; cleared when the connection is stable. */
  readonly lastError: string | undefined
  readonly lastErrorAt: number | undefined
  /** The code of `lastError`. */
  readonly lastReason: Reason | undefined
  /** Of the last connection that could not be closed. */
  readonly lastCloseError: string | undefined
  /** After `timeouts.close`. */
  readonly abandonedCloses: number
  /** Sessions that the server has forgotten; each was replaced at once. `warning`: it keeps forgetting them. */
  readonly lostSessions: { readonly count: number; readonly warning: string | undefined }
  /** When the last attempt began. */
  readonly lastAttemptAt: number | undefined
  /** When the process was started that has not answered yet though its attempt is over (`stdio.startLimit`); `undefined` without one. */
  readonly startingSince?: number | undefined
  readonly lastSuccessAt: number | undefined
  /** `undefined` if none is due. */
  readonly nextAttemptAt: number | undefined
  /** Since the last stable connection. */
  readonly failedAttempts: number
  /** On a server that leaves something without an answer, refuses its lists, or is starting for seconds; `undefined` otherwise. */
  readonly verdict?: OpenVerdict | undefined
  /** How often a verdict would have ended something; `undefined` unless `health.enforce` is false. */
  readonly wouldHaveEnded?: number | undefined
  /** Over all connections. Evidence for `verdict`. */
  readonly learned?: Omit<Shown, "server"> | undefined
  /** Heartbeats and probes in a row without a good answer on this connection. */
  readonly failures: number
  readonly inFlight: number
  /** Calls that wait for a connection, or for the verdict on one in doubt. */
  readonly waiting: number
  /** Calls that wait for their turn (`calls.concurrency`, and that of `tools`). */
  readonly queued: number
  /** Since the backend was made. `givenUp`: by their callers, by a timeout or a cancellation, before a result or an error. */
  readonly calls: { readonly givenUp: number }
  /** Which names and patterns of the option `tools` match nothing that the server has, and what was probably `meant`. */
  readonly toolOptions: {
    readonly unmatched: ReadonlyArray<{ readonly pattern: string; readonly meant: string | undefined }>
    readonly warning: string | undefined
  }
  readonly keepalive: KeepaliveStatus
  /** `undefined` before the lists are read, as with `discovery.mode: "learn"` at first. */
  readonly catalog: {
    readonly generation: number
    readonly revision: number
    readonly stale: boolean
    /** Offered to callers. */
    readonly tools: number
    /** Cut: too long (`discovery.maxEntries`, `discovery.maxPages`), or without an end. */
    readonly truncated: ReadonlyArray<Kind>
  } | undefined
}
