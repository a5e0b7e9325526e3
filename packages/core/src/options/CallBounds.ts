/** How long one call may take, and what is done about it when it is cut off. `Time`: what a length of time may be. */
export interface CallBounds<Time> {
  /** Time for the whole call: waiting for a connection, the answer, and sending again. Default `timeouts.request`. */
  readonly timeout?: Time | undefined
  /** Bound on the whole call, waiting and repetition included, however much progress there is. Default: none beyond the others. */
  readonly maxTotalTimeout?: Time | undefined
  /** How long to wait for a connection. Default `timeouts.wait`. */
  readonly wait?: Time | undefined
  /** Doing it twice does no harm: send again when the fate of the first is unknown. Default: by method and tool hints. */
  readonly idempotent?: boolean | undefined
  /** Fail at once when there is no connection. Default `calls.failFast`. */
  readonly failFast?: boolean | undefined
}
