/**
 * The states of a backend.
 */

/** Each state, with what it remembers. */
export type States = {
  /** No connection and none wanted yet: lazy before the first demand, or released because unused. The first call connects. */
  Idle: {}
  /** An attempt is in progress. `probe`: the backend was Dormant, and is again if the attempt fails. */
  Connecting: { readonly probe: boolean }
  /** There is a connection. `replacing`: an attempt to replace it is in progress. */
  Connected: { readonly replacing: boolean }
  /** Waits for the backoff before the next attempt. */
  Reconnecting: {}
  /** All attempts with backoff have failed. Lifeline tries again every few minutes, and when a call needs the backend. */
  Dormant: {}
  /** Waiting would not help: somebody has to fix the cause. Calls fail, and bring an attempt now and then; `reconnect` makes one at once. */
  PermanentlyFailed: {}
  /** Not connected, because of a command or of `reconnect.auto: false`. Only a command connects it again. */
  Disconnected: {}
  /** `disable` is closing everything. `enable`: it connects again as soon as everything is closed. */
  Disabling: { readonly enable: boolean }
  /** Switched off; everything is closed or abandoned. */
  Disabled: {}
  /** Its scope has closed. Final. */
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
