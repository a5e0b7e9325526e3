/**
 * What a connection says about itself: what it is connected to, and how it ended.
 */

/** What the connection is connected to, for people: the process, or the address without credentials. */
export interface Peer {
  /** The id of the process that the connector started. */
  readonly pid?: number | undefined
  /** The address of a server over HTTP. */
  readonly url?: string | undefined
}

/** How a connection ended. */
export interface Loss {
  /**
   * `session`: the server answers, but no longer knows the session. `closed`: the transport has ended. `health`: requests or probes
   * failed. `keepalive`: the server did not answer heartbeats. A connection reports the first two; the core decides the last two.
   */
  readonly kind: "session" | "closed" | "health" | "keepalive"
  /** One line: what happened, with exit code, signal or status where there is one. */
  readonly message: string
  /** Milliseconds that the server asked us to wait before coming back. */
  readonly retryAfter?: number | undefined
  /** What caused it, as it came. */
  readonly cause?: unknown
}
