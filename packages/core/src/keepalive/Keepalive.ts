/** Keepalive of one backend: starts and ends with each connection, and can be paused. */
import { Effect, Fiber } from "effect"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import { formatMillis } from "../internal/formatMillis.js"
import * as SafeLog from "../internal/SafeLog.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as HeartbeatLoop from "./HeartbeatLoop.js"
import { type Breaker, KeepaliveState, makeFallback, methodOf, offReason } from "./KeepaliveState.js"
import * as Metrics from "./Metrics.js"

interface Permission {
  fiber: Fiber.RuntimeFiber<void> | undefined
}

export class Keepalive {
  readonly state = new KeepaliveState()
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  /** Kept while keepalive is paused. */
  #fallback = makeFallback()
  /** Heartbeats of an older permission send nothing. */
  #permission: Permission | undefined
  /** The next heartbeats begin when these have ended. (K8) */
  #previous: Fiber.RuntimeFiber<void> | undefined
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
      const fiber = this.#permission?.fiber
      this.#permission = undefined
      this.#changed("paused", "paused by keepalive.pause()")
      return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interruptFork(fiber))
    })
  }

  get resume(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.state.paused) return Effect.void
      this.state.paused = false
      const { current } = this.#backend.published.value
      if (current !== undefined) return this.#start(current)
      this.#changed("off", "no connection")
      return Effect.void
    })
  }

  #start(runtime: Runtime): Effect.Effect<void> {
    const { id, policy } = this.#backend
    const off = offReason(policy, runtime.connection)
    if (off !== undefined) {
      this.#changed("off", off)
      if (this.#loggedOff === runtime) return Effect.void
      this.#loggedOff = runtime
      return SafeLog.info(`${id}: keepalive is off: ${off}`)
    }
    if (this.state.paused) return Effect.void
    const previous = this.#previous
    const permission: Permission = { fiber: undefined }
    this.#permission = permission
    const beat = Effect.flatMap(
      Metrics.meter(id),
      (meter) => HeartbeatLoop.run(this.#parts(runtime, permission, meter))
    )
    const beats = previous === undefined ? beat : Effect.zipRight(Fiber.await(previous), beat)
    return Effect.gen(this, function*() {
      yield* this.#warnOptionsProvesNoSession(runtime)
      const fiber = yield* runtime.fork(beats)
      permission.fiber = fiber
      this.#previous = fiber
      const { breaker } = this.state
      if (breaker === undefined) this.#changed("running", undefined)
      else this.#changed("disabled", `${breaker.reason}: ${breaker.message}`, breaker.reprobeAt)
    })
  }

  #parts(runtime: Runtime, permission: Permission, meter: Metrics.Meter): HeartbeatLoop.Parts {
    const backend = this.#backend
    const { id, policy } = backend
    return {
      policy,
      state: this.state,
      fallback: this.#fallback,
      runtime,
      now: () => backend.now(),
      fleetStartedAt: backend.fleetStartedAt,
      isCurrent: () => this.#permission === permission && backend.isCurrent(runtime),
      besidePing: this.#probe.besidePing(runtime),
      isLost: (isSilent, message) => this.#probe.isLost(runtime, isSilent, message),
      isSessionLost: (refusal) => Effect.map(this.#doubt.settle(runtime, refusal), (outcome) => outcome === "lost"),
      onBeat: (sent, verdict, millis) => {
        if (sent === "ping" && verdict._tag === "Success") backend.temperament.answeredPing()
        backend.telemetry?.beat(sent, verdict._tag === "Success" ? undefined : verdict.reason, millis)
        meter.beat(sent, verdict, millis)
      },
      onRound: (alive) => this.#probe.record(alive),
      onOpen: (breaker, again) => this.#opened(breaker, again, meter),
      onClose: () => {
        this.#changed("running", undefined)
        return SafeLog.info(`${id}: keepalive works again`)
      },
      onFallback: (tool) => SafeLog.info(`${id}: keepalive falls back to the tool ${tool}`),
      onDefect: (cause) => SafeLog.error(`${id}: a heartbeat failed unexpectedly; keepalive goes on`, cause)
    }
  }

  #opened({ message, reason, reprobeAt }: Breaker, again: boolean, meter: Metrics.Meter): Effect.Effect<void> {
    const { id, policy, telemetry } = this.#backend
    const why = `${reason}: ${message}`
    const wait = formatMillis(reprobeAt - this.#backend.now())
    this.#changed("disabled", why, reprobeAt)
    if (again) return SafeLog.debug(`${id}: keepalive stays disabled (${why}); probed again in ${wait}`)
    const method = methodOf(policy)
    telemetry?.breakerOpened(method, reason)
    meter.disabled(method, reason)
    return SafeLog.warning(`${id}: keepalive is disabled (${why}); the session goes on; probed again in ${wait}`)
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

  #changed(state: "running" | "off" | "paused" | "disabled", reason: string | undefined, nextProbeAt?: number): void {
    const { generation } = this.#backend.published.value
    this.#backend.emit({ _tag: "KeepaliveChanged", generation, state, reason, nextProbeAt })
    this.#backend.publish({})
  }
}
