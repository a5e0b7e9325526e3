/** What follows from the end of a connection, by its kind. */
import type { Loss } from "./Loss.js"

interface Consequences {
  /** Milliseconds that calls in flight have at most, within `timeouts.drain`. */
  readonly drain: number
  /** The next attempt waits for no backoff, but for its turn among new sessions. (R7) */
  readonly isAtOnce: boolean
  /** We wanted it: an attempt follows also without `reconnect.auto`, and no failure is counted. */
  readonly isWanted: boolean
  /** The next connection may go on with its session. (T11) */
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
