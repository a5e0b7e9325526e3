/** A round is the ping, and the fallback tool where it is due; one success is enough. A live connection whose rounds fail opens the breaker. */
import { Cause, Effect, type Fiber, Random, Schedule } from "effect"
import type { RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import { jittered } from "../internal/backoff.js"
import { formatMillis } from "../internal/formatMillis.js"
import * as SafeLog from "../internal/SafeLog.js"
import * as Sending from "../port/Sending.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Cadence from "./cadence.js"
import { announce, type Fallback, type KeepaliveState, methodOf, whyOf } from "./KeepaliveState.js"
import * as Metrics from "./Metrics.js"
import * as Verdict from "./Verdict.js"

export interface Parts {
  readonly backend: BackendState
  readonly probe: Probe
  readonly doubt: SessionDoubt
  readonly state: KeepaliveState
  readonly fallback: Fallback
}

/** One for all connections: how long it waits depends on what the server has answered. (K1, K6) */
const keepaliveSchedule: Schedule.Schedule<Heartbeats, Heartbeats> = Schedule.addDelayEffect(
  Schedule.identity<Heartbeats>(),
  (heartbeats) => heartbeats.nextDelay
)

/** Of one connection. Thousands sleep nearly all the time, so a round makes what it needs. */
export class Heartbeats {
  readonly runtime: Runtime
  fiber: Fiber.RuntimeFiber<void> | undefined
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  readonly #state: KeepaliveState
  readonly #fallback: Fallback
  #meter: Metrics.Meter | undefined
  #isStopped = false
  /** Failing rounds in a row, and when the last of them ended. */
  #failing = 0
  #failedAt = 0
  /** The last of them, in a row, in and before which nothing else of ours was answered. */
  #silent = 0
  #first = true
  #pinged = false
  /** `answeredAt` when the round was planned. */
  #plannedAfter = 0
  #roundAt = 0

  constructor({ backend, doubt, fallback, probe, state }: Parts, runtime: Runtime) {
    this.runtime = runtime
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
    this.#state = state
    this.#fallback = fallback
  }

  get run(): Effect.Effect<void> {
    return Effect.flatMap(Metrics.meter(this.#backend.id), (meter) => {
      this.#meter = meter
      return Effect.asVoid(Effect.scheduleFrom(Effect.as(this.#round, this), this, keepaliveSchedule))
    })
  }

  /** Nothing is sent or counted from now on. */
  stop(): void {
    this.#isStopped = true
  }

  /** Compared in the synchronous step that sends, and before a verdict counts. (K9) */
  get #isCurrent(): boolean {
    return !this.#isStopped && this.#backend.isCurrent(this.runtime)
  }

  /**
   * Skipped where a request was answered since it was planned (K7), except after a generation lost to keepalive: only an answered
   * heartbeat tells a server that hangs at times from one that ignores heartbeats. (K13)
   */
  readonly #round: Effect.Effect<void> = Effect.suspend(() => {
    const { runtime } = this
    const state = this.#state
    // The reading of lists must not skip the first: it would undo the spread of backends that connect together. (K6)
    const usedAt = this.#first ? Math.min(runtime.usedAt, runtime.answeredAt) : runtime.answeredAt
    this.#first = false
    const skip = state.breaker === undefined && this.#failing === 0 && this.#method !== "options" &&
      state.lostInARow === 0 && usedAt > this.#plannedAfter
    if (skip) return Effect.void
    this.#roundAt = this.#backend.now()
    const beat = Effect.flatMap(this.#verdict(), (verdict) => this.#conclude(verdict))
    return Effect.catchAllCause(beat, (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      this.#countFailure()
      return SafeLog.error(`${this.#backend.id}: a heartbeat failed unexpectedly; keepalive goes on`, cause)
    })
  })

  /** From the last answer, so that the gap never exceeds the interval. (K6) */
  get nextDelay(): Effect.Effect<number> {
    return Effect.suspend(() => {
      const { fleetStartedAt, policy } = this.#backend
      const { answeredAt } = this.runtime
      const { breaker, doublings } = this.#state
      const now = this.#backend.now()
      this.#plannedAfter = answeredAt
      if (breaker !== undefined) return Effect.succeed(Math.max(0, breaker.reprobeAt - now))
      const interval = Cadence.intervalOf(policy, doublings)
      if (this.#failing > 0) return Effect.succeed(Math.min(policy.keepalive.suspectInterval, interval))
      const from = this.#method === "options" ? now : answeredAt
      const due = { from, interval, first: this.#first, gridStart: fleetStartedAt }
      return Effect.map(Random.next, (draw) => Math.max(0, Cadence.dueAt({ ...due, draw }) - now))
    })
  }

  get #method(): string {
    return methodOf(this.#backend.policy)
  }

  get #tool(): string | undefined {
    const method = this.#method
    return method.startsWith("tool:") ? method.slice("tool:".length) : undefined
  }

  #verdict(): Effect.Effect<Verdict.Verdict> {
    const fallback = this.#fallback
    const { policy } = this.#backend
    const { fallbackAfter, timeout } = policy.keepalive
    if (this.#method === "options") {
      const send = () => this.runtime.connection.heartbeat?.(policy.keepalive) ?? Effect.void
      return this.#beat("options", send, timeout, Verdict.ofBeat)
    }
    const tool = this.#tool
    if (tool === undefined) {
      const ping = this.#ping(timeout)
      return this.#failing === 0
        ? ping
        : Effect.zipLeft(ping, this.#probe.besidePing(this.runtime), { concurrent: true })
    }
    if (!fallback.pingSupported) return this.#callTool(tool, timeout)
    // A ping and its fallback share the time of one heartbeat: K6 and K11 count on it.
    const isLast = fallback.pingFailures + 1 >= fallbackAfter
    return Effect.flatMap(this.#ping(isLast ? timeout / 2 : timeout), (verdict) => {
      if (verdict._tag === "Success") {
        fallback.pingFailures = 0
        return Effect.succeed(verdict)
      }
      fallback.pingFailures++
      if (verdict.reason === "unsupported") fallback.pingSupported = false
      const enough = !fallback.pingSupported || fallback.pingFailures >= fallbackAfter
      if (verdict.reason === "rate_limited" || !enough) return Effect.succeed(verdict)
      return this.#callTool(tool, Math.max(1, timeout - (this.#backend.now() - this.#roundAt)))
    })
  }

  #ping(timeout: number): Effect.Effect<Verdict.Verdict> {
    const send = () => Sending.ask(this.runtime.connection, "ping", undefined, { timeout })
    return this.#beat("ping", send, timeout, Verdict.ofBeat)
  }

  #callTool(tool: string, timeout: number): Effect.Effect<Verdict.Verdict> {
    const { id, policy } = this.#backend
    const params = { name: tool, arguments: { ...policy.keepalive.toolArguments } }
    const beat = this.#beat(
      this.#method,
      () => Sending.ask(this.runtime.connection, "tools/call", params, { timeout }),
      timeout,
      (error) => Verdict.ofTool(tool, error),
      (result) => Verdict.ofToolResult(tool, result)
    )
    if (this.#fallback.taken) return beat
    this.#fallback.taken = true
    return Effect.zipRight(SafeLog.info(`${id}: keepalive falls back to the tool ${tool}`), beat)
  }

  #beat(
    sent: string,
    send: () => Effect.Effect<unknown, RequestError>,
    timeout: number,
    onFailure: (error: RequestError) => Verdict.Verdict,
    onSuccess: (result: unknown) => Verdict.Verdict = () => Verdict.success
  ): Effect.Effect<Verdict.Verdict> {
    const backend = this.#backend
    return Effect.suspend(() => {
      const startedAt = backend.now()
      const guarded = Effect.suspend(() => {
        if (!this.#isCurrent) return Effect.interrupt // guard: no-heartbeat-after-detach
        return send()
      })
      const record = (verdict: Verdict.Verdict) => {
        if (!this.#isCurrent) return Effect.interrupt
        const now = backend.now()
        const isGood = verdict._tag === "Success"
        if (sent !== "options" && Verdict.isSignOfLife(verdict)) this.runtime.answered(now)
        if (sent === "ping" && isGood) backend.temperament.answeredPing()
        backend.telemetry?.beat(sent, isGood ? undefined : verdict.reason, now - startedAt)
        this.#meter?.beat(sent, verdict, now - startedAt)
        return Effect.succeed(verdict)
      }
      return Effect.matchEffect(withDeadline(guarded, timeout), {
        onFailure: (error) => {
          const worked = sent === "ping" && this.#pinged && error.reason === "remote"
          if ((error.ifSessionLost === undefined && !worked) || sent === "options") return record(onFailure(error))
          // True once a new one was made. (R12)
          return Effect.flatMap(
            this.#doubt.settle(this.runtime, error),
            (outcome) => outcome === "lost" ? Effect.interrupt : record(onFailure(error))
          )
        },
        onSuccess: (result) => {
          this.#pinged ||= sent === "ping"
          return record(onSuccess(result))
        }
      })
    })
  }

  #conclude(verdict: Verdict.Verdict): Effect.Effect<void> {
    const { id, policy } = this.#backend
    const state = this.#state
    this.#probe.record(Verdict.isSignOfLife(verdict))
    if (verdict._tag === "Success") {
      this.#failing = 0
      state.lostInARow = 0
      if (state.breaker === undefined) return Effect.void
      state.breaker = undefined
      announce(this.#backend, "running", undefined)
      return SafeLog.info(`${id}: keepalive works again`)
    }
    if (state.breaker !== undefined) return this.#open(verdict)
    if (verdict.reason === "rate_limited") {
      this.#failing = 0
      const interval = Cadence.intervalOf(policy, state.doublings)
      if (Cadence.intervalOf(policy, state.doublings + 1) > interval) state.doublings++
      return Effect.void
    }
    this.#countFailure()
    const { failureThreshold } = policy.keepalive
    if (this.#failing < failureThreshold) return Effect.void
    // What answered since the last round lives; what answered before may have died since. (K11, K12)
    if (this.#silent === 0) return this.#open(verdict)
    if (this.#silent < failureThreshold) return Effect.void
    if (state.lostInARow >= 2) return this.#open(verdict)
    const message = `${this.#silent} heartbeats in a row without an answer: ${verdict.message}`
    if (this.#probe.isLost(this.runtime, verdict.reason === "timeout", message)) state.lostInARow++
    return Effect.void
  }

  #countFailure(): void {
    if (this.#failing === 0) this.#silent = 0
    const answered = this.runtime.answeredAt >= (this.#failing === 0 ? this.#roundAt : this.#failedAt)
    this.#silent = answered ? 0 : this.#silent + 1
    this.#failing++
    this.#failedAt = this.#backend.now()
  }

  #open({ message, reason }: Verdict.Failure): Effect.Effect<void> {
    const { id, policy, telemetry } = this.#backend
    return Effect.flatMap(Random.next, (draw) => {
      const now = this.#backend.now()
      const reprobeAt = now + jittered(policy.keepalive.reprobeAfter, 0.75, draw)
      const isAgain = this.#state.breaker !== undefined
      const breaker = this.#state.breaker = { reason, message, reprobeAt }
      this.#failing = 0
      const why = whyOf(breaker)
      const wait = formatMillis(reprobeAt - now)
      announce(this.#backend, "disabled", why, reprobeAt)
      if (isAgain) return SafeLog.debug(`${id}: keepalive stays disabled (${why}); probed again in ${wait}`)
      telemetry?.breakerOpened(this.#method, reason)
      this.#meter?.disabled(this.#method, reason)
      return SafeLog.warning(`${id}: keepalive is disabled (${why}); the session goes on; probed again in ${wait}`)
    })
  }
}
