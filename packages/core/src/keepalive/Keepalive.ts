/** Keepalive of one backend: starts and ends with each connection, and can be paused. */
import { Effect, Fiber } from "effect"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import * as SafeLog from "../internal/SafeLog.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { Heartbeats } from "./Heartbeats.js"
import { announce, KeepaliveState, makeFallback, methodOf, offReason, whyOf } from "./KeepaliveState.js"

export class Keepalive {
  readonly state = new KeepaliveState()
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  /** Kept while keepalive is paused. */
  #fallback = makeFallback()
  /** The next ones begin when these have ended. (K8) */
  #heartbeats: Heartbeats | undefined
  #loggedOff: Runtime | undefined
  #warnedOfOptions = false

  constructor(backend: BackendState, probe: Probe, doubt: SessionDoubt) {
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
  }

  /** With the ping, whatever the runtime before it needed. (K3) */
  attach(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#fallback = makeFallback()
      return this.#start(runtime)
    })
  }

  get pause(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.state.paused = true
      this.#heartbeats?.stop()
      announce(this.#backend, "paused", "paused by keepalive.pause()")
      const fiber = this.#heartbeats?.fiber
      return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interruptFork(fiber))
    })
  }

  get resume(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.state.paused) return Effect.void
      this.state.paused = false
      const { current } = this.#backend.published.value
      if (current !== undefined) return this.#start(current)
      announce(this.#backend, "off", "no connection")
      return Effect.void
    })
  }

  #start(runtime: Runtime): Effect.Effect<void> {
    const { id, policy } = this.#backend
    const off = offReason(policy, runtime.connection)
    if (off !== undefined) {
      announce(this.#backend, "off", off)
      if (this.#loggedOff === runtime) return Effect.void
      this.#loggedOff = runtime
      return SafeLog.info(`${id}: keepalive is off: ${off}`)
    }
    if (this.state.paused) return Effect.void
    const previous = this.#heartbeats?.fiber
    const heartbeats = this.#heartbeats = new Heartbeats(
      { backend: this.#backend, probe: this.#probe, doubt: this.#doubt, state: this.state, fallback: this.#fallback },
      runtime
    )
    const beats = previous === undefined ? heartbeats.run : Effect.zipRight(Fiber.await(previous), heartbeats.run)
    return Effect.gen(this, function*() {
      yield* this.#warnOptionsProvesNoSession(runtime)
      heartbeats.fiber = yield* runtime.fork(beats)
      const { breaker } = this.state
      if (breaker === undefined) announce(this.#backend, "running", undefined)
      else announce(this.#backend, "disabled", whyOf(breaker), breaker.reprobeAt)
    })
  }

  /** Warns once. (K2) */
  #warnOptionsProvesNoSession({ connection }: Runtime): Effect.Effect<void> {
    const { id, policy } = this.#backend
    if (this.#warnedOfOptions || methodOf(policy) !== "options" || !connection.stateful) return Effect.void
    this.#warnedOfOptions = true
    return SafeLog.warning(
      `${id}: keepalive.method "options" shows that the server is reachable, not that it still knows the session; use "ping" or "tool:<name>" for a server with sessions`
    )
  }
}
