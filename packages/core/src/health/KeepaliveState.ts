import type { Policy } from "../options/Policy.js"
import type { Connection } from "../port/Connection.js"
import type { BackendState } from "../state/BackendState.js"
import type { KeepaliveStatus } from "../state/Status.js"
import type { Reason } from "./Beat.js"

export interface Breaker {
  readonly reason: Reason
  readonly message: string
  readonly reprobeAt: number
}

export const whyOf = ({ message, reason }: Breaker): string => `${reason}: ${message}`

export class KeepaliveState {
  paused = false
  /** Heartbeats fail on a connection that lives. */
  breaker: Breaker | undefined
  /** Without a successful round between. */
  lostInARow = 0
  doublings = 0
}

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
  if (breaker !== undefined) return is("disabled", whyOf(breaker), breaker.reprobeAt)
  return connection === undefined ? is("off", "no connection") : is("running")
}

export const announce = (backend: BackendState, keepalive: KeepaliveState): void => {
  const { current, generation } = backend.published.value
  const { reason, reprobeAt: nextProbeAt, state } = statusOf(backend.policy, keepalive, current?.connection)
  backend.emit({ _tag: "KeepaliveChanged", generation, state, reason, nextProbeAt })
  backend.publish({})
}
