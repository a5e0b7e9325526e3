/**
 * What keepalive knows of a backend over all its connections: the breaker, and how many generations in a row it has given
 * up. Reconnecting does not reset it.
 */
import type { Policy } from "../options/Policy.js"
import type { Connection } from "../port/Connection.js"
import type { KeepaliveStatus } from "../state/Status.js"
import type { Reason } from "./Verdict.js"

/** Why the breaker is open, and when it is probed next. */
export interface Breaker {
  readonly reason: Reason
  readonly message: string
  readonly reprobeAt: number
}

/** Kept by one backend, over reconnects. */
export class KeepaliveState {
  paused = false
  /** Open: heartbeats fail on a connection that lives, and keepalive is disabled. */
  breaker: Breaker | undefined
  /** Generations in a row that were lost to keepalive with no successful round between. */
  lostInARow = 0
  /** How often the interval was doubled because the server objects to the rate. */
  doublings = 0
}

/** How one generation is asked: by ping, or by the fallback tool after pings have failed. Begins with the ping. */
export interface Fallback {
  pingSupported: boolean
  /** Pings that failed in a row. */
  pingFailures: number
  /** The fallback tool was used, and it was logged. */
  taken: boolean
}

/** What a generation begins with. */
export const makeFallback = (): Fallback => ({ pingSupported: true, pingFailures: 0, taken: false })

/** What is sent: what the options say, else `ping`. */
export const methodOf = (policy: Policy): string => policy.keepalive.method ?? "ping"

/** Why keepalive does not run on a connection, where it does not. */
export const offReason = (policy: Policy, connection: Connection): string | undefined => {
  const { idleTtl, method } = policy.keepalive
  if (method === "none") return "keepalive.method is none"
  if (connection.spreads === true) return "each process has its own"
  if (method !== undefined) return undefined
  if (!connection.stateful) return "the server keeps no session"
  return idleTtl === "never" ? "keepalive.idleTtl is never" : undefined
}

/** The state of keepalive as the status shows it. */
export const statusOf = (
  policy: Policy,
  { breaker, paused }: KeepaliveState,
  connection: Connection | undefined
): KeepaliveStatus => {
  const method = methodOf(policy)
  const is = (state: KeepaliveStatus["state"], reason?: string, reprobeAt?: number): KeepaliveStatus => ({
    state,
    method,
    reason,
    reprobeAt
  })
  if (paused) return is("paused", "paused by keepalive.pause()")
  if (method === "none") return is("off", "keepalive.method is none")
  const off = connection && offReason(policy, connection)
  if (off !== undefined) return is("off", off)
  if (breaker !== undefined) return is("disabled", `${breaker.reason}: ${breaker.message}`, breaker.reprobeAt)
  return connection === undefined ? is("off", "no connection") : is("running")
}
