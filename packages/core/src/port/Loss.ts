/** What a connection says about itself: what it is connected to, and how it ended. */

import type { StateName } from "../lifecycle/States.js"
import type { ResourceUsage } from "./ResourceUsage.js"

/** One of several processes of a server, at one moment. */
export interface ProcessStatus {
  /** Counted from 1; a process that takes the place of another one has its number. */
  readonly number: number
  /** Its id, while it is connected. */
  readonly pid: number | undefined
  /** The state of its supervision. */
  readonly state: StateName
  /** How many connections were made for this number. */
  readonly generation: number
  /** How many requests it is working on. */
  readonly inFlight: number
  /** What it uses of this machine, as measured last. */
  readonly usage: ResourceUsage | undefined
  /** Why it is or was down; cleared when it is stable. */
  readonly lastError: string | undefined
  /** When the next attempt is due, in milliseconds since the epoch; `undefined` if none is. */
  readonly nextAttemptAt: number | undefined
}

/** What the connection is connected to, for people: the process, or the address without credentials. */
export interface Peer {
  /** The id of the process that the connector started. */
  readonly pid?: number | undefined
  /** The processes, if there are several (`processes`). Each reading gives them as they are then. */
  readonly processes?: ReadonlyArray<ProcessStatus> | undefined
  /** The address of a server over HTTP. */
  readonly url?: string | undefined
}

/** How a connection ended. */
export interface Loss {
  /**
   * `session`: the server answers, but no longer knows the session. `closed`: the transport has ended. `health`: requests or probes
   * failed. `keepalive`: the server did not answer heartbeats. `memory`: it used more than `maxMemory`, so Lifeline replaces its process;
   * calls in flight may finish. A connection reports the first two; the core decides the others.
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

/** What follows from the end of a connection. */
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

/** By its kind. */
export const losses: Readonly<Record<Loss["kind"], Consequences>> = {
  closed: dead,
  health: dead,
  keepalive: dead,
  // The server refuses the calls by itself; one that is cut off may have been carried out.
  session: { drain: 3000, isAtOnce: true, isWanted: false, keepsSession: false },
  memory: { drain: Number.POSITIVE_INFINITY, isAtOnce: true, isWanted: true, keepsSession: false }
}
