/** `Time`: the type of a duration. */
export interface CallBounds<Time> {
  /** For the whole call: waiting, the answer, and sending again. Default: that of its tool, or `timeouts.request`. */
  readonly timeout?: Time | undefined
  /** For the whole call, not extended by progress. Default: none. */
  readonly maxTotalTimeout?: Time | undefined
  /** For a connection. Default `timeouts.wait`. */
  readonly wait?: Time | undefined
  /** Twice does no harm: Lifeline may send the call again after a lost connection. Default: that of its tool, or the method and the tool's hints. */
  readonly idempotent?: boolean | undefined
  /** Fail at once without a connection. Default `calls.failFast`. */
  readonly failFast?: boolean | undefined
}
