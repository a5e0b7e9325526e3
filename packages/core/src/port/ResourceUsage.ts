/** What the processes of a server use of this machine, and what judges that. */

/** As measured at one moment. */
export interface ResourceUsage {
  /** Their memory, in bytes. */
  readonly memory: number
  /** Their processor time since the measurement before, in percent of one core. `undefined` for the first measurement. */
  readonly cpu: number | undefined
  /** Their processor time since they were started, in seconds. */
  readonly cpuTime: number
}

/** Part of `Status`. */
export interface LimitStatus {
  readonly bytes: number
  /** How often a process was replaced because of it. */
  readonly restarts: number
  /** Set while the server uses more than 80% of it. */
  readonly warning: string | undefined
}

/** What a measurement means. `nextRestartAt`: it is above its limit, and is restarted then if it still is. */
export type UsageVerdict =
  | { readonly _tag: "Fine" }
  | { readonly _tag: "High"; readonly message: string; readonly nextRestartAt: number | undefined }
  | { readonly _tag: "Restart"; readonly message: string }

/** One for each backend. It paces restarts: nothing else does. Must not throw. */
export interface UsageLimit {
  readonly status: LimitStatus
  /** Another connection is measured from now on. */
  readonly begin: () => void
  /** `now`: milliseconds since the epoch. A verdict to restart counts as done. */
  readonly measured: (usage: ResourceUsage, now: number) => UsageVerdict
}
