/**
 * What a connection tells of itself: where it leads to, and how it ended.
 */

/** Where the other side is, for people: the process or the address (without credentials). */
export interface Peer {
  /** Of a child process. */
  readonly pid?: number | undefined
  /** Of a server over HTTP. */
  readonly url?: string | undefined
}

/** How a connection ended. */
export interface Loss {
  /**
   * `session`: the server no longer knows the session, but answers. `closed`: the transport is over. `health`: requests or
   * probes failed. `keepalive`: heartbeats were not answered. The last two are verdicts of the core.
   */
  readonly kind: "session" | "closed" | "health" | "keepalive"
  /** One line: what happened, with exit code, signal or status where there is one. */
  readonly message: string
  /** Milliseconds that the server asked us to wait before coming back. */
  readonly retryAfter?: number | undefined
  /** What caused it, as it came. */
  readonly cause?: unknown
}
