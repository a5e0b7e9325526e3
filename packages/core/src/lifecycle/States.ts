/**
 * The states of a backend.
 */

/** Each state, with what it remembers. */
export type States = {
  /** No connection and none wanted yet: lazy before the first demand, or released because unused. The first call connects. */
  Idle: {}
  /** An attempt is under way. `probe`: it was made from Dormant, so failing leads back there. */
  Connecting: { readonly probe: boolean }
  /** There is a connection. `replacing`: an attempt for its successor is under way. */
  Connected: { readonly replacing: boolean }
  /** Waiting for the backoff to run out. */
  Reconnecting: {}
  /** The quick attempts are used up; tried now and then, and when called. */
  Dormant: {}
  /** Waiting does not help; `reconnect` after it is fixed. */
  PermanentlyFailed: {}
  /** Not connected, by command or by a loss with `reconnect.auto: false`, and only a command changes that. */
  Disconnected: {}
  /** Being torn down. `enable`: wanted again as soon as that has ended. */
  Disabling: { readonly enable: boolean }
  /** Switched off; everything is torn down or abandoned. */
  Disabled: {}
  /** Over, for ever. */
  Closed: {}
}

/**
 * Where a backend is.
 *
 * - `Idle`: lazy, or released because unused; the first call connects.
 * - `Connecting`, `Connected`, `Reconnecting` (waiting for the backoff), `Dormant` (quick attempts used up; tried now and
 *   then, and when called).
 * - `PermanentlyFailed`: waiting does not help; `reconnect` after it is fixed.
 * - `Disconnected`: by command, or by loss with `reconnect.auto: false`.
 * - `Disabling`, `Disabled`, `Closed`.
 */
export type StateName = keyof States
