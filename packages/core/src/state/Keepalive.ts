import type { Policy } from "../options/Policy.js"
import type { Connection } from "../port/Connection.js"
import type { Reason } from "./Beat.js"
import type { KeepaliveStatus } from "./Status.js"

export interface Breaker {
  readonly reason: Reason
  readonly message: string
  readonly reprobeAt: number
}

export const whyOf = ({ message, reason }: Breaker): string => `${reason}: ${message}`

/** Over all connections. */
export interface Keepalive {
  readonly paused: boolean
  /** Set while heartbeats fail on a connection that lives. */
  readonly breaker: Breaker | undefined
  /** Connections, without a successful round between. */
  readonly lostInARow: number
  readonly doublings: number
}

export const begin: Keepalive = { paused: false, breaker: undefined, lostInARow: 0, doublings: 0 }

export const methodOf = (policy: Policy): string => policy.keepalive.method ?? "ping"

export const offReason = (policy: Policy, connection: Connection): string | undefined => {
  const { idleTtl, method } = policy.keepalive
  if (method === "none") return "keepalive.method is none"
  if (method !== undefined) return undefined
  if (!connection.stateful) return "the server keeps no session"
  return idleTtl === "never" ? "keepalive.idleTtl is never" : undefined
}

export const statusOf = (
  policy: Policy,
  { breaker, paused }: Keepalive,
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
  if (breaker !== undefined) return is("disabled", whyOf(breaker), breaker.reprobeAt)
  return connection === undefined ? is("off", "no connection") : is("running")
}
