export type States = {
  Idle: {}
  /** `probe`: it was Dormant, and is again after a failure. */
  Connecting: { readonly probe: boolean }
  /** `replacing`: an attempt to replace it is in progress. */
  Connected: { readonly replacing: boolean }
  Reconnecting: {}
  Dormant: {}
  PermanentlyFailed: {}
  Disconnected: {}
  /** `enable`: it connects again once everything is closed. */
  Disabling: { readonly enable: boolean }
  Disabled: {}
  Closed: {}
}

/**
 * - `Idle`: lazy, or unused for `lifecycle.idleRelease`. The first call connects.
 * - `Connecting`: an attempt is in progress.
 * - `Connected`: there is a connection.
 * - `Reconnecting`: waits for the backoff.
 * - `Dormant`: `reconnect.maxAttempts` attempts with backoff failed. Lifeline tries again every `reconnect.dormantProbe`, and for a call.
 * - `PermanentlyFailed`: waiting would not help. Calls fail at once. With `reconnect.auto`, a call also causes an attempt: no sooner after a
 * failure than `reconnect.demandInterval`, which doubles with each failure up to `maxDelay`, and never before a Retry-After has passed.
 * `reconnect` tries at once.
 * - `Disconnected`: by `disconnect`, or `reconnect.auto: false`. `reconnect` and `enable` connect.
 * - `Disabling`, `Disabled`: `disable` is closing everything, or has. `enable` connects.
 * - `Closed`: the scope has closed. Final.
 */
export type StateName = keyof States
