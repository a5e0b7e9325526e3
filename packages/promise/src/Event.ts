/**
 * What happens to servers.
 */
import type { ConnectError, UnauthorizedError } from "./Errors.js"
import type { State } from "./Status.js"

interface Common {
  /** The name of the server. */
  readonly backend: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** What happened to a server, to be told apart by `_tag`. Durations in milliseconds. */
export type Event =
  /** The state changed. */
  | Common & {
    readonly _tag: "StateChanged"
    readonly from: State
    readonly to: State
    readonly generation: number
  }
  /** An attempt to connect began; `attempt` counts from 1 since the last stable connection. */
  | Common & { readonly _tag: "AttemptStarted"; readonly attempt: number }
  | Common & {
    readonly _tag: "AttemptFailed"
    readonly error: ConnectError | UnauthorizedError
    readonly duration: number
    readonly nextAttemptAt: number | undefined
  }
  /** A connection was made. `downtime`: since the last one was lost, where one was. */
  | Common & {
    readonly _tag: "Installed"
    readonly generation: number
    readonly duration: number
    readonly downtime: number | undefined
  }
  /** The connection was lost. */
  | Common & {
    readonly _tag: "RuntimeLost"
    readonly generation: number
    readonly loss: Loss
    readonly uptime: number
  }
  /** A connection was closed, or closing it failed or was abandoned. `installed`: it was current once; else its attempt failed. */
  | Common & {
    readonly _tag: "RuntimeClosed"
    readonly generation: number
    readonly installed: boolean
    readonly outcome: "closed" | "failed" | "abandoned"
    readonly message: string | undefined
  }
  /** The catalogue was published anew, or is stale or withdrawn (`revision` undefined). */
  | Common & {
    readonly _tag: "CatalogChanged"
    readonly generation: number
    readonly revision: number | undefined
    readonly stale: boolean
  }
  /** A list could not be read. */
  | Common & { readonly _tag: "DiscoveryFailed"; readonly generation: number; readonly message: string }
  /** Keepalive changed: running, off, or disabled by its breaker. */
  | Common & {
    readonly _tag: "KeepaliveChanged"
    readonly generation: number
    readonly state: "running" | "off" | "paused" | "disabled"
    readonly reason: string | undefined
    readonly nextProbeAt: number | undefined
  }

/** How a connection ended. */
export interface Loss {
  /**
   * `session`: the server no longer knows the session. `closed`: the transport is over. `health`: requests or probes failed.
   * `keepalive`: heartbeats were not answered.
   */
  readonly kind: "session" | "closed" | "health" | "keepalive"
  readonly message: string
  /** Milliseconds that the server asked us to wait before coming back. */
  readonly retryAfter?: number | undefined
  readonly cause?: unknown
}
