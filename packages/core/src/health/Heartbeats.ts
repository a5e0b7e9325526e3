/** A round is the ping and, where due, the fallback tool; one success is enough. */
import { Cause, Effect, Fiber, Random, Schedule } from "effect"
import type { RequestError } from "../Errors.js"
import { jittered } from "../internal/backoff.js"
import { formatMillis } from "../internal/formatMillis.js"
import * as SafeLog from "../internal/SafeLog.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Beat from "../state/Beat.js"
import { type Keepalive, methodOf, whyOf } from "../state/Keepalive.js"
import { kept } from "../state/Slot.js"
import * as Cadence from "./cadence.js"
import * as Metrics from "./Metrics.js"
import type { Failed, Probe } from "./Probe.js"
import { guarded, type Question } from "./Question.js"
import type { SessionDoubt } from "./SessionDoubt.js"

export interface Parts {
  readonly backend: BackendState
  readonly question: Question
  readonly probe: Probe
  readonly doubt: SessionDoubt
}

const keepaliveSchedule: Schedule.Schedule<Heartbeats, Heartbeats> = Schedule.addDelayEffect(
  Schedule.identity<Heartbeats>(),
  (heartbeats) => heartbeats.nextDelay
)

/** Thousands sleep, so a round makes what it needs. */
export class Heartbeats {
  readonly runtime: Runtime
  readonly #parts: Parts
  readonly #backend: BackendState
  #fiber: Fiber.RuntimeFiber<Heartbeats> | undefined
  #meter: Metrics.Meter | undefined
  #first = true
  #pinged = false
  #pingSupported = true
  #pingFailures = 0
  #isToolUsed = false
  /** In a row, and the milliseconds to the next. */
  #failing = 0
  #pause = 0
  /** Before the round, or at the end of the last one that failed. */
  #answers = 0
  #plannedAfter = 0
  #roundAt = 0

  constructor(parts: Parts, runtime: Runtime) {
    this.runtime = runtime
    this.#parts = parts
    this.#backend = parts.backend
  }

  /** When those before a pause have ended. (K8) */
  get start(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { run } = this
      const last = this.#fiber
      const next = last === undefined ? run : Effect.zipRight(Effect.uninterruptible(Fiber.await(last)), run)
      return Effect.map(this.runtime.fork(next), (fiber) => {
        this.#fiber = fiber
      })
    })
  }

  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => this.#fiber === undefined ? Effect.void : Fiber.interruptFork(this.#fiber))
  }

  get run(): Effect.Effect<Heartbeats> {
    return Effect.flatMap(Metrics.meter(this.#backend.id), (meter) => {
      this.#meter = meter
      this.#first = true
      this.#failing = 0
      return Effect.scheduleFrom(Effect.as(this.#round, this), this, keepaliveSchedule)
    })
  }

  /** Compared in the step that sends, and before a result counts. (K9) */
  readonly #isCurrent = (): boolean => !this.#state.paused && this.#backend.isCurrent(this.runtime)

  /**
   * Skipped if a request was answered since it was planned (K7), except after a loss to keepalive: only a heartbeat tells a server that
   * hangs from one that ignores them. (K13)
   */
  readonly #round: Effect.Effect<void> = Effect.suspend(() => {
    const { runtime } = this
    const state = this.#state
    // The reading of lists must not skip the first: that would undo the spread. (K6)
    const usedAt = this.#first ? Math.min(runtime.usedAt, runtime.answeredAt) : runtime.answeredAt
    this.#first = false
    if (this.#parts.probe.isDoubted(runtime)) return runtime.until(() => !this.#parts.probe.isDoubted(runtime))
    const skip = state.breaker === undefined && this.#failing === 0 && this.#method !== "options" &&
      state.lostInARow === 0 && usedAt > this.#plannedAfter
    if (skip) return Effect.void
    if (this.#failing === 0) this.#answers = runtime.answers
    this.#roundAt = this.#backend.now()
    const beat = Effect.flatMap(this.#beat(), (beat) => this.#conclude(beat))
    return Effect.catchAllCause(beat, (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      this.#fail({ reason: "fault", message: "it failed" })
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
      if (this.#failing > 0) return Effect.succeed(Math.min(this.#pause, interval))
      const from = this.#method === "options" ? now : answeredAt
      const due = { from, interval, first: this.#first, gridStart: fleetStartedAt }
      return Effect.map(Random.next, (draw) => Math.max(0, Cadence.dueAt({ ...due, draw }) - now))
    })
  }

  get #state(): Keepalive {
    return this.#backend.published.value.keepalive
  }

  #set(keepalive: Partial<Keepalive>): void {
    this.#backend.update((slot) => kept(slot, keepalive))
  }

  get #method(): string {
    return methodOf(this.#backend.policy)
  }

  #beat(): Effect.Effect<Beat.Beat> {
    const { policy } = this.#backend
    const { fallbackAfter, timeout } = policy.keepalive
    if (this.#method === "options") {
      const send = () => this.runtime.connection.heartbeat?.(policy.keepalive) ?? Effect.void
      return this.#found("options", guarded(this.#isCurrent, timeout, send), Beat.ofError)
    }
    const tool = this.#method.startsWith("tool:") ? this.#method.slice("tool:".length) : undefined
    if (tool === undefined) {
      const ping = this.#ping(timeout)
      return this.#failing === 0
        ? ping
        : Effect.zipLeft(ping, this.#parts.probe.besidePing(this.runtime), { concurrent: true })
    }
    if (!this.#pingSupported) return this.#callTool(tool, timeout)
    // They share the time of one heartbeat: K6 and K11 count on it.
    const isLast = this.#pingFailures + 1 >= fallbackAfter
    return Effect.flatMap(this.#ping(isLast ? timeout / 2 : timeout), (beat) => {
      if (beat._tag === "Success") {
        this.#pingFailures = 0
        return Effect.succeed(beat)
      }
      this.#pingFailures++
      if (beat.reason === "unsupported") this.#pingSupported = false
      const enough = !this.#pingSupported || this.#pingFailures >= fallbackAfter
      if (beat.reason === "rate_limited" || !enough) return Effect.succeed(beat)
      return this.#callTool(tool, Math.max(1, timeout - (this.#backend.now() - this.#roundAt)))
    })
  }

  #ping(timeout: number): Effect.Effect<Beat.Beat> {
    const asked = this.#parts.question.send(this.runtime, "ping", undefined, timeout, this.#isCurrent)
    return this.#found("ping", asked, Beat.ofError)
  }

  #callTool(tool: string, timeout: number): Effect.Effect<Beat.Beat> {
    const { id, policy } = this.#backend
    const params = { name: tool, arguments: { ...policy.keepalive.toolArguments } }
    const beat = this.#found(
      this.#method,
      this.#parts.question.send(this.runtime, "tools/call", params, timeout, this.#isCurrent),
      (error) => Beat.ofToolError(tool, error),
      (result) => Beat.ofToolResult(tool, result)
    )
    if (this.#isToolUsed) return beat
    this.#isToolUsed = true
    return Effect.zipRight(SafeLog.info(`${id}: keepalive falls back to the tool ${tool}`), beat)
  }

  #found<A>(
    sent: string,
    asked: Effect.Effect<A, RequestError>,
    ofError: (error: RequestError) => Beat.Beat,
    ofResult: (result: A) => Beat.Beat = () => Beat.success
  ): Effect.Effect<Beat.Beat> {
    const backend = this.#backend
    return Effect.suspend(() => {
      const startedAt = backend.now()
      const counted = (beat: Beat.Beat) => {
        if (!this.#isCurrent()) return Effect.interrupt
        const millis = backend.now() - startedAt
        backend.telemetry?.beat(sent, beat._tag === "Success" ? undefined : beat.reason, millis)
        this.#meter?.beat(sent, beat, millis)
        return Effect.succeed(beat)
      }
      return Effect.matchEffect(asked, {
        onFailure: (error) => {
          const worked = sent === "ping" && this.#pinged && error.reason === "remote"
          if ((error.ifSessionLost === undefined && !worked) || sent === "options") return counted(ofError(error))
          return Effect.flatMap(
            this.#parts.doubt.settle(this.runtime, error),
            (outcome) => outcome === "lost" ? Effect.interrupt : counted(ofError(error))
          )
        },
        onSuccess: (result) => {
          this.#pinged ||= sent === "ping"
          return counted(ofResult(result))
        }
      })
    })
  }

  #conclude(beat: Beat.Beat): Effect.Effect<void> {
    const { id, policy } = this.#backend
    const state = this.#state
    const { runtime } = this
    this.#parts.probe.record(Beat.isSignOfLife(beat))
    if (beat._tag === "Success") {
      this.#failing = 0
      if (state.lostInARow > 0 || state.breaker !== undefined) this.#set({ lostInARow: 0, breaker: undefined })
      if (state.breaker === undefined) return Effect.void
      return SafeLog.info(`${id}: keepalive works again`)
    }
    if (state.breaker !== undefined) return this.#open(beat)
    if (beat.reason === "rate_limited") {
      this.#failing = 0
      const interval = Cadence.intervalOf(policy, state.doublings)
      if (Cadence.intervalOf(policy, state.doublings + 1) > interval) this.#set({ doublings: state.doublings + 1 })
      return Effect.void
    }
    const isAnswering = runtime.answers !== this.#answers
    const failed = this.#fail(beat)
    // Something else was answered, or reconnecting cured nothing. (K12, K13)
    if (isAnswering || state.lostInARow >= 2) {
      return this.#failing < policy.keepalive.failureThreshold ? Effect.void : this.#open(beat)
    }
    if (this.#parts.probe.heartbeatFailed(runtime, failed)) this.#set({ lostInARow: state.lostInARow + 1 })
    return Effect.void
  }

  #fail(error: Failed["error"]): Failed {
    const failed = { error, at: this.#roundAt }
    this.#answers = this.runtime.answers
    this.#failing++
    this.#pause = this.#parts.probe.nextAfter(failed)
    return failed
  }

  #open({ message, reason }: Beat.Failure): Effect.Effect<void> {
    const { id, policy, telemetry } = this.#backend
    return Effect.flatMap(Random.next, (draw) => {
      const now = this.#backend.now()
      const reprobeAt = now + jittered(policy.keepalive.reprobeAfter, 0.75, draw)
      const isAgain = this.#state.breaker !== undefined
      const breaker = { reason, message, reprobeAt }
      this.#set({ breaker })
      this.#failing = 0
      const why = whyOf(breaker)
      const wait = formatMillis(reprobeAt - now)
      if (isAgain) return SafeLog.debug(`${id}: keepalive stays disabled (${why}); probed again in ${wait}`)
      telemetry?.breakerOpened(this.#method, reason)
      this.#meter?.disabled(this.#method, reason)
      return SafeLog.warning(`${id}: keepalive is disabled (${why}); the session goes on; probed again in ${wait}`)
    })
  }
}
