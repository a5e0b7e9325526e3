/** The events of backends, with everything that a gateway or telemetry needs. */
import type { StateName } from "../lifecycle/States.js"
import type { Loss } from "../port/Loss.js"

interface Common {
  readonly backend: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** What can happen to a backend, by the tag of its event. Durations in milliseconds. `Failure`: why an attempt failed. */
export type Events<Failure> = {
  StateChanged: Common & { readonly from: StateName; readonly to: StateName; readonly generation: number }
  /** An attempt to connect began; `attempt` counts from 1 since the last stable connection. */
  AttemptStarted: Common & { readonly attempt: number }
  /** An attempt failed. `nextAttemptAt`: when the next one is due, in milliseconds since the epoch. */
  AttemptFailed: Common & {
    readonly error: Failure
    readonly duration: number
    readonly nextAttemptAt: number | undefined
  }
  /**
   * A connection was made. `downtime`: the time since the last one was lost, if one was. `resumed`: the connection resumes the session of
   * the last one.
   */
  Installed: Common & {
    readonly generation: number
    readonly duration: number
    readonly downtime: number | undefined
    readonly resumed: boolean
  }
  RuntimeLost: Common & { readonly generation: number; readonly loss: Loss; readonly uptime: number }
  /**
   * A connection was closed, or closing it failed or was abandoned. `installed`: whether it had been the current connection; if not, its
   * attempt had failed.
   */
  RuntimeClosed: Common & {
    readonly generation: number
    readonly installed: boolean
    readonly outcome: "closed" | "failed" | "abandoned"
    readonly message: string | undefined
  }
  /** A new catalogue was published, or the catalogue is stale or withdrawn (`revision` undefined). */
  CatalogChanged: Common & {
    readonly generation: number
    readonly revision: number | undefined
    readonly stale: boolean
  }
  /**
   * The processes of the server use more than 80% of `maxMemory`; once for each process, and again after it has used less than 70%.
   * `memory` and `limit` in bytes. `nextRestartAt`: set if the server uses more than the limit, but was replaced less than a minute ago; if
   * it still does then, it is replaced at this time.
   */
  MemoryHigh: Common & {
    readonly generation: number
    readonly memory: number
    readonly limit: number
    readonly message: string
    readonly nextRestartAt: number | undefined
  }
  /** The verdict on a server that leaves something without an answer is another one. `reason`: the evidence. */
  Judged: Common & {
    readonly generation: number
    readonly kind: "busy" | "unknown" | "wedged"
    readonly reason: string
  }
  /** A list could not be read. */
  DiscoveryFailed: Common & { readonly generation: number; readonly message: string }
  /**
   * Keepalive has started, is off or paused, or has disabled itself, because heartbeats failed while calls succeeded. `nextProbeAt`: when
   * a keepalive that disabled itself tries again.
   */
  KeepaliveChanged: Common & {
    readonly generation: number
    readonly state: "running" | "off" | "paused" | "disabled"
    readonly reason: string | undefined
    readonly nextProbeAt: number | undefined
  }
}
