import { Effect } from "effect"
import * as SafeLog from "../internal/SafeLog.js"
import type { Connection } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"
import { Heartbeats, type Parts } from "./Heartbeats.js"
import { announce, type KeepaliveState, methodOf, offReason } from "./KeepaliveState.js"

export class Keepalive {
  readonly state: KeepaliveState
  readonly #parts: Parts
  #heartbeats: Heartbeats | undefined
  #warnedOfOptions = false

  constructor(parts: Parts) {
    this.state = parts.state
    this.#parts = parts
  }

  /** With the ping, whatever the last runtime needed. (K3) */
  attach(runtime: Runtime): Effect.Effect<void> {
    const { id, policy } = this.#parts.backend
    const off = offReason(policy, runtime.connection)
    if (off !== undefined) {
      this.#heartbeats = undefined
      return Effect.zipRight(this.#announced, SafeLog.info(`${id}: keepalive is off: ${off}`))
    }
    const heartbeats = this.#heartbeats = new Heartbeats(this.#parts, runtime)
    const warned = this.#warnOptionsProvesNoSession(runtime.connection)
    return this.state.paused ? warned : Effect.all([warned, heartbeats.start, this.#announced], { discard: true })
  }

  get pause(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.state.paused = true
      return Effect.zipRight(this.#announced, this.#heartbeats?.stop ?? Effect.void)
    })
  }

  get resume(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.state.paused) return Effect.void
      this.state.paused = false
      const { current } = this.#parts.backend.published.value
      const start = this.#heartbeats?.runtime === current ? this.#heartbeats?.start : undefined
      return Effect.zipRight(start ?? Effect.void, this.#announced)
    })
  }

  get #announced(): Effect.Effect<void> {
    return Effect.sync(() => announce(this.#parts.backend, this.state))
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
