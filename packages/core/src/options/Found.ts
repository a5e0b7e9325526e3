/**
 * What keepalive knows after a round, and before the first. Times are milliseconds on the Clock's scale, durations milliseconds.
 *
 * A round is one heartbeat, or none where the server has answered something else since the round was planned.
 */
export interface Found {
  /** When the server last answered, whatever it was asked. */
  readonly answeredAt: number
  /** Of the options, as far as `idleTtl` and what the server says of the rate allow. */
  readonly interval: number
  /** Rounds in a row that failed. */
  readonly failures: number
  /** After a failed round: what is left of `suspectInterval`. */
  readonly retryIn: number
  /** Set while keepalive has switched itself off. */
  readonly reprobeAt: number | undefined
}
