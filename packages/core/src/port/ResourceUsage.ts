/** Of a server's processes. */
export interface ResourceUsage {
  /** In bytes. */
  readonly memory: number
  /** Since the measurement before, in percent of one core. `undefined` for the first. */
  readonly cpu: number | undefined
  /** Since they were started, in seconds. */
  readonly cpuTime: number
}

/** Part of `Status`. */
export interface LimitStatus {
  readonly bytes: number
  /** Processes replaced because of it. */
  readonly restarts: number
  /** While the server uses more than 80% of it. */
  readonly warning: string | undefined
}

/** `nextRestartAt`: it is over the limit, and is restarted then if it still is. */
export type UsageVerdict =
  | { readonly _tag: "Fine" }
  | { readonly _tag: "High"; readonly message: string; readonly nextRestartAt: number | undefined }
  | { readonly _tag: "Restart"; readonly message: string }

/** One for each backend. Nothing else paces restarts. Must not throw. */
export interface UsageLimit {
  readonly status: LimitStatus
  /** Another connection is measured from now on. */
  readonly begin: () => void
  /** `now`: milliseconds since the epoch. A verdict to restart counts as done. */
  readonly measured: (usage: ResourceUsage, now: number) => UsageVerdict
}
