import type { StateName } from "../lifecycle/States.js"
import type { Loss } from "../port/Loss.js"

interface Common {
  readonly backend: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** By tag. Durations in milliseconds. `Failure`: why an attempt failed. */
export type Events<Failure> = {
  StateChanged: Common & { readonly from: StateName; readonly to: StateName; readonly generation: number }
  /** `attempt` counts from 1 since the last stable connection. */
  AttemptStarted: Common & { readonly attempt: number }
  /** `nextAttemptAt`: in milliseconds since the epoch. */
  AttemptFailed: Common & {
    readonly error: Failure
    readonly duration: number
    readonly nextAttemptAt: number | undefined
  }
  /** `downtime`: since the last connection was lost, if one was. `resumed`: it resumes the last session. */
  Installed: Common & {
    readonly generation: number
    readonly duration: number
    readonly downtime: number | undefined
    readonly resumed: boolean
  }
  RuntimeLost: Common & { readonly generation: number; readonly loss: Loss; readonly uptime: number }
  /** Closed, failed to close, or abandoned. `installed`: it had been the current connection; if not, its attempt had failed. */
  RuntimeClosed: Common & {
    readonly generation: number
    readonly installed: boolean
    readonly outcome: "closed" | "failed" | "abandoned"
    readonly message: string | undefined
  }
  /** New, stale, or withdrawn (`revision` undefined). */
  CatalogChanged: Common & {
    readonly generation: number
    readonly revision: number | undefined
    readonly stale: boolean
  }
  /**
   * The server's processes use more than 80% of `maxMemory`; once for each process, and again after less than 70%. `memory` and `limit` in
   * bytes. `nextRestartAt`: when a server over the limit, replaced less than a minute ago, is replaced if it still is.
   */
  MemoryHigh: Common & {
    readonly generation: number
    readonly memory: number
    readonly limit: number
    readonly message: string
    readonly nextRestartAt: number | undefined
  }
  /**
   * The verdict on a server that leaves something without an answer, or refuses its lists, has changed. `reason`: the evidence. `enforced`: a
   * wedged one is ended (`health.enforce`).
   */
  Judged: Common & {
    readonly generation: number
    readonly kind: "busy" | "held" | "unknown" | "wedged"
    readonly reason: string
    readonly enforced: boolean
  }
  /** A list could not be read. */
  DiscoveryFailed: Common & { readonly generation: number; readonly message: string }
  /**
   * Keepalive has started, is off or paused, or has disabled itself, because heartbeats failed while calls succeeded. `nextProbeAt`: when
   * it tries again.
   */
  KeepaliveChanged: Common & {
    readonly generation: number
    readonly state: "running" | "off" | "paused" | "disabled"
    readonly reason: string | undefined
    readonly nextProbeAt: number | undefined
  }
}
