/** Heartbeats on each connection, begun and paused. */
import { Effect } from "effect"
import * as SafeLog from "../internal/SafeLog.js"
import type { Connection } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"
import { methodOf, offReason } from "../state/Keepalive.js"
import { kept } from "../state/Slot.js"
import * as Heartbeats from "./Heartbeats.js"
import type { Liveness } from "./Liveness.js"

export interface Keepalive {
  readonly liveness: Liveness
  readonly plan: Heartbeats.Plan
  heartbeats: Heartbeats.Heartbeats | undefined
  warnedOfOptions: boolean
}

export const make = (liveness: Liveness, plan: Heartbeats.Plan): Keepalive => ({
  liveness,
  plan,
  heartbeats: undefined,
  warnedOfOptions: false
})

/** With the ping, whatever the last runtime needed. (K3) */
export const attach = (self: Keepalive, runtime: Runtime): Effect.Effect<void> => {
  const { id, policy, published } = self.liveness.backend
  const off = offReason(policy, runtime.connection)
  if (off !== undefined) {
    self.heartbeats = undefined
    return SafeLog.info(`${id}: keepalive is off: ${off}`)
  }
  const heartbeats = self.heartbeats = Heartbeats.make(self.liveness, self.plan, runtime)
  const warned = warnOptionsProvesNoSession(self, runtime.connection)
  return published.value.keepalive.paused ? warned : Effect.zipRight(warned, Heartbeats.start(heartbeats))
}

export const pause = (self: Keepalive): Effect.Effect<void> =>
  Effect.suspend(() => {
    setPaused(self, true)
    return self.heartbeats === undefined ? Effect.void : Heartbeats.stop(self.heartbeats)
  })

export const resume = (self: Keepalive): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { current, keepalive } = self.liveness.backend.published.value
    if (!keepalive.paused) return Effect.void
    setPaused(self, false)
    const { heartbeats } = self
    return heartbeats === undefined || heartbeats.runtime !== current ? Effect.void : Heartbeats.start(heartbeats)
  })

const setPaused = (self: Keepalive, paused: boolean): void =>
  self.liveness.backend.update((slot) => slot.keepalive.paused === paused ? slot : kept(slot, { paused }))

const warnOptionsProvesNoSession = (self: Keepalive, { stateful }: Connection): Effect.Effect<void> => {
  const { id, policy } = self.liveness.backend
  if (self.warnedOfOptions || methodOf(policy) !== "options" || !stateful) return Effect.void
  self.warnedOfOptions = true
  return SafeLog.warning(
    `${id}: keepalive.method "options" shows that the server is reachable, not that it still knows the session; use "ping" or "tool:<name>" for a server with sessions`
  )
}
