import { Effect } from "effect"
import * as SafeLog from "../internal/SafeLog.js"
import type { Connection } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"
import { methodOf, offReason } from "../state/Keepalive.js"
import { kept } from "../state/Slot.js"
import { Heartbeats, type Parts } from "./Heartbeats.js"

export class Keepalive {
  readonly #parts: Parts
  #heartbeats: Heartbeats | undefined
  #warnedOfOptions = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** With the ping, whatever the last runtime needed. (K3) */
  attach(runtime: Runtime): Effect.Effect<void> {
    const { id, policy, published } = this.#parts.backend
    const off = offReason(policy, runtime.connection)
    if (off !== undefined) {
      this.#heartbeats = undefined
      return SafeLog.info(`${id}: keepalive is off: ${off}`)
    }
    const heartbeats = this.#heartbeats = new Heartbeats(this.#parts, runtime)
    const warned = this.#warnOptionsProvesNoSession(runtime.connection)
    return published.value.keepalive.paused ? warned : Effect.zipRight(warned, heartbeats.start)
  }

  get pause(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#setPaused(true)
      return this.#heartbeats?.stop ?? Effect.void
    })
  }

  get resume(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { current, keepalive } = this.#parts.backend.published.value
      if (!keepalive.paused) return Effect.void
      this.#setPaused(false)
      return this.#heartbeats?.runtime === current ? this.#heartbeats?.start ?? Effect.void : Effect.void
    })
  }

  #setPaused(paused: boolean): void {
    this.#parts.backend.update((slot) => slot.keepalive.paused === paused ? slot : kept(slot, { paused }))
  }

  #warnOptionsProvesNoSession({ stateful }: Connection): Effect.Effect<void> {
    const { id, policy } = this.#parts.backend
    if (this.#warnedOfOptions || methodOf(policy) !== "options" || !stateful) return Effect.void
    this.#warnedOfOptions = true
    return SafeLog.warning(
      `${id}: keepalive.method "options" shows that the server is reachable, not that it still knows the session; use "ping" or "tool:<name>" for a server with sessions`
    )
  }
}
