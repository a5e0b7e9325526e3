/** How a connection ended, and what follows: for its calls, its session, and the next attempt. */

/** How a connection ended. */
export interface Loss {
  /**
   * `session`: the server answers, but no longer knows the session. `closed`: the transport has ended. `health`: requests or probes
   * failed. `keepalive`: the server did not answer heartbeats. `memory`: it used more than `maxMemory`, and calls in flight may
   * finish. A connection reports the first two; the core decides the others.
   */
  readonly kind: "session" | "closed" | "health" | "keepalive" | "memory"
  /** With `session`: nothing was forgotten, the server only runs elsewhere from now on. Metrics count it as `moved`. */
  readonly isMove?: boolean | undefined
  /** The server neither reads nor does anything, so that closing the connection gives it no time to end by itself. Default false. */
  readonly isWedged?: boolean | undefined
  /** One line: what happened, with exit code, signal or status where there is one. */
  readonly message: string
  /** Milliseconds that the server asked us to wait before coming back. */
  readonly retryAfter?: number | undefined
  /** What caused it, as it came. */
  readonly cause?: unknown
}

interface Consequences {
  /** Milliseconds that calls in flight have at most, within `timeouts.drain`. */
  readonly drain: number
  /** The next attempt waits for no backoff, but for its turn among new sessions. */
  readonly isAtOnce: boolean
  /** We wanted it: an attempt follows also without `reconnect.auto`, and no failure is counted. */
  readonly isWanted: boolean
  /** The next connection may go on with its session. */
  readonly keepsSession: boolean
}

const dead: Consequences = { drain: 0, isAtOnce: false, isWanted: false, keepsSession: true }

export const losses: Readonly<Record<Loss["kind"], Consequences>> = {
  closed: dead,
  health: dead,
  keepalive: dead,
  // The server refuses the calls by itself; one that is cut off may have been carried out.
  session: { drain: 3000, isAtOnce: true, isWanted: false, keepsSession: false },
  memory: { drain: Number.POSITIVE_INFINITY, isAtOnce: true, isWanted: true, keepsSession: false }
}
