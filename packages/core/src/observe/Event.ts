/**
 * What happens to backends, as a closed union: everything that a gateway or telemetry needs to know.
 */
import { Data } from "effect"
import type { ConnectError } from "../Errors.js"
import type { StateName } from "../lifecycle/Lifecycle.js"
import type { Loss } from "../port/Connection.js"

interface Common {
  readonly backend: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** What happened to a backend. */
export type Event = Data.TaggedEnum<{
  /** The lifecycle moved. */
  StateChanged: Common & { readonly from: StateName; readonly to: StateName; readonly generation: number }
  /** An attempt began; `attempt` counts from 1 since the last stable connection. */
  AttemptStarted: Common & { readonly attempt: number }
  AttemptFailed: Common & {
    readonly error: ConnectError
    readonly duration: number
    readonly nextAttemptAt: number | undefined
  }
  /** A runtime was installed. `downtime`: since the last one was lost, where one was. */
  Installed: Common & { readonly generation: number; readonly duration: number; readonly downtime: number | undefined }
  /** The current runtime was lost. */
  RuntimeLost: Common & { readonly generation: number; readonly loss: Loss; readonly uptime: number }
  /** A runtime was closed, or its close failed or was abandoned. `installed`: it was current once; else its attempt had failed. */
  RuntimeClosed: Common & {
    readonly generation: number
    readonly installed: boolean
    readonly outcome: "closed" | "failed" | "abandoned"
    readonly message: string | undefined
  }
  /** The catalogue was published anew, or is stale or withdrawn (`revision` undefined). */
  CatalogChanged: Common & {
    readonly generation: number
    readonly revision: number | undefined
    readonly stale: boolean
  }
  /** A list could not be read. */
  DiscoveryFailed: Common & { readonly generation: number; readonly message: string }
  /** The keepalive of a backend changed: it runs, is off or paused, or was disabled by its breaker, until `nextProbeAt`. */
  KeepaliveChanged: Common & {
    readonly generation: number
    readonly state: "running" | "off" | "paused" | "disabled"
    readonly reason: string | undefined
    readonly nextProbeAt: number | undefined
  }
}>

/** Constructors of events. */
export const Event = Data.taggedEnum<Event>()
