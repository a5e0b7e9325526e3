/** Each state, with what it remembers; see `StateName`. */
export type States = {
  Idle: {}
  /** `probe`: the backend was Dormant, and is again if the attempt fails. */
  Connecting: { readonly probe: boolean }
  /** `replacing`: an attempt to replace the connection is in progress. */
  Connected: { readonly replacing: boolean }
  Reconnecting: {}
  Dormant: {}
  PermanentlyFailed: {}
  Disconnected: {}
  /** `enable`: it connects again as soon as everything is closed. */
  Disabling: { readonly enable: boolean }
  Disabled: {}
  Closed: {}
}

/**
 * The name of a backend's state.
 *
 * - `Idle`: no connection, because the backend is lazy, or because nobody used it for `lifecycle.idleRelease`. The first call connects.
 * - `Connecting`: an attempt is in progress.
 * - `Connected`: there is a connection.
 * - `Reconnecting`: waits for the backoff before the next attempt.
 * - `Dormant`: `reconnect.maxAttempts` attempts with backoff have failed. Lifeline tries again every `reconnect.dormantProbe`, and when a
 *   call needs the backend.
 * - `PermanentlyFailed`: waiting would not help: somebody has to fix the cause. Calls fail at once. With `reconnect.auto`, a call also makes
 *   Lifeline try again: no sooner after a failure than `reconnect.demandInterval`, which doubles with each failure up to `maxDelay`, and
 *   never before a Retry-After has passed. `reconnect` tries at once.
 * - `Disconnected`: not connected, because of `disconnect` or of `reconnect.auto: false`. `reconnect` and `enable` connect.
 * - `Disabling`, `Disabled`: `disable` is closing everything, or has done so. `enable` connects again.
 * - `Closed`: the scope of the backend has closed. Final.
 */
export type StateName = keyof States
