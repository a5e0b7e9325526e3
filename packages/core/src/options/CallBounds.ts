/** How long one call may take, and whether Lifeline may send it again after a lost connection. `Time` is the type of a duration. */
export interface CallBounds<Time> {
  /** Time for the whole call: waiting for a connection, the answer, and sending again. Default: as the options of its tool say, or else `timeouts.request`. */
  readonly timeout?: Time | undefined
  /** Limit for the whole call, which progress does not extend: waiting, the answer, and sending again. Default: none. */
  readonly maxTotalTimeout?: Time | undefined
  /** How long to wait for a connection. Default `timeouts.wait`. */
  readonly wait?: Time | undefined
  /**
   * Whether carrying the call out twice does no harm, so that Lifeline may send it again if the connection was lost during it. Default:
   * what the options of its tool say, or else the method and the tool's hints.
   */
  readonly idempotent?: boolean | undefined
  /** Fail at once when there is no connection. Default `calls.failFast`. */
  readonly failFast?: boolean | undefined
}
