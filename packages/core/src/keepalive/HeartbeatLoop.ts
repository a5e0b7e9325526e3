/**
 * Heartbeats. A round is the ping, and the fallback tool where it is due; success of either is its success. A dead connection is
 * handed over to reconnect; a live one whose heartbeat fails opens the breaker.
 */
import { Cause, Effect, Random, Schedule } from "effect"
import type { RequestError } from "../Errors.js"
import type { Policy } from "../options/Policy.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import * as Cadence from "./cadence.js"
import { type Breaker, type Fallback, type KeepaliveState, methodOf } from "./KeepaliveState.js"
import * as Verdict from "./Verdict.js"

export interface Parts {
  readonly policy: Policy
  readonly state: KeepaliveState
  readonly fallback: Fallback
  readonly runtime: Runtime
  readonly now: () => number
  /** `undefined` for a backend on its own. */
  readonly fleetStartedAt: number | undefined
  /** Compared in the synchronous step that sends, and before the verdict counts. (K9) */
  readonly isCurrent: () => boolean
  readonly onBeat: (sent: string, verdict: Verdict.Verdict, millis: number) => void
  /** `alive`: it answered, whatever it said. (H2, H5) */
  readonly onRound: (alive: boolean) => void
  /** Also looks at the processes. (V4) */
  readonly besidePing: Effect.Effect<void>
  /** (V1) */
  readonly isLost: (isSilent: boolean, message: string) => boolean
  /** True once a new one was made. (R12) */
  readonly isSessionLost: (refusal: RequestError) => Effect.Effect<boolean>
  /** `again`: a probe of the open breaker failed. */
  readonly onOpen: (breaker: Breaker, again: boolean) => Effect.Effect<void>
  readonly onClose: () => Effect.Effect<void>
  readonly onFallback: (tool: string) => Effect.Effect<void>
  /** A bug of ours, and no reason to stop. */
  readonly onDefect: (cause: Cause.Cause<never>) => Effect.Effect<void>
}

/** One for all backends: each round says how many milliseconds to wait. (K1) */
const keepaliveSchedule: Schedule.Schedule<number, number> = Schedule.addDelay(
  Schedule.identity<number>(),
  (millis) => millis
)

export const run = (parts: Parts): Effect.Effect<void> =>
  Effect.suspend(() => {
    const loop = new HeartbeatLoop(parts)
    return Effect.flatMap(loop.nextDelay(), (first) => Effect.scheduleFrom(loop.round, first, keepaliveSchedule))
  })

/** Thousands sleep nearly all the time, so a round makes what it needs. */
class HeartbeatLoop {
  readonly #parts: Parts
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

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * Skipped where a request was answered since it was planned (K7), except after a generation lost to keepalive: only an answered
   * heartbeat tells a server that hangs at times from one that ignores heartbeats. (K13)
   */
  readonly round: Effect.Effect<number> = Effect.suspend(() => {
    const { runtime, state } = this.#parts
    // The reading of lists must not skip the first: it would undo the spread of backends that connect together. (K6)
    const usedAt = this.#first ? Math.min(runtime.usedAt, runtime.answeredAt) : runtime.answeredAt
    this.#first = false
    const skip = state.breaker === undefined && this.#failing === 0 && this.#method !== "options" &&
      state.lostInARow === 0 && usedAt > this.#plannedAfter
    if (skip) return this.nextDelay()
    this.#roundAt = this.#parts.now()
    const beat = Effect.flatMap(this.#verdict(), (verdict) => this.#conclude(verdict))
    const survived = Effect.catchAllCause(beat, (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      this.#countFailure()
      return this.#parts.onDefect(cause)
    })
    return Effect.flatMap(survived, () => this.nextDelay())
  })

  /** From the last answer, so that the gap never exceeds the interval. (K6) */
  nextDelay(): Effect.Effect<number> {
    const { fleetStartedAt, policy, runtime, state } = this.#parts
    const now = this.#parts.now()
    this.#plannedAfter = runtime.answeredAt
    if (state.breaker !== undefined) return Effect.succeed(Math.max(0, state.breaker.reprobeAt - now))
    const interval = Cadence.intervalOf(policy, state.doublings)
    if (this.#failing > 0) return Effect.succeed(Math.min(policy.keepalive.suspectInterval, interval))
    const from = this.#method === "options" ? now : runtime.answeredAt
    return Effect.map(Random.next, (draw) => {
      const due = Cadence.dueAt({ from, interval, first: this.#first, draw, gridStart: fleetStartedAt })
      return Math.max(0, due - now)
    })
  }

  get #method(): string {
    return methodOf(this.#parts.policy)
  }

  get #tool(): string | undefined {
    const method = this.#method
    return method.startsWith("tool:") ? method.slice("tool:".length) : undefined
  }

  #verdict(): Effect.Effect<Verdict.Verdict> {
    const { fallback, policy, runtime: { connection } } = this.#parts
    const { fallbackAfter, timeout } = policy.keepalive
    if (this.#method === "options") {
      const send = () => connection.heartbeat?.(policy.keepalive) ?? Effect.void
      return this.#beat("options", send, timeout, Verdict.ofBeat)
    }
    const tool = this.#tool
    if (tool === undefined) {
      const ping = this.#ping(timeout)
      return this.#failing === 0
        ? ping
        : Effect.zipWith(ping, this.#parts.besidePing, (verdict) => verdict, { concurrent: true })
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
      return this.#callTool(tool, Math.max(1, timeout - (this.#parts.now() - this.#roundAt)))
    })
  }

  #ping(timeout: number): Effect.Effect<Verdict.Verdict> {
    const send = () => this.#parts.runtime.connection.request("ping", undefined, { timeout })
    return this.#beat("ping", send, timeout, Verdict.ofBeat)
  }

  #callTool(tool: string, timeout: number): Effect.Effect<Verdict.Verdict> {
    const { fallback, onFallback, policy, runtime: { connection } } = this.#parts
    const params = { name: tool, arguments: { ...policy.keepalive.toolArguments } }
    const beat = this.#beat(
      this.#method,
      () => connection.request("tools/call", params, { timeout }),
      timeout,
      (error) => Verdict.ofTool(tool, error),
      (result) => Verdict.ofToolResult(tool, result)
    )
    if (fallback.taken) return beat
    fallback.taken = true
    return Effect.zipRight(onFallback(tool), beat)
  }

  #beat(
    sent: string,
    send: () => Effect.Effect<unknown, RequestError>,
    timeout: number,
    onFailure: (error: RequestError) => Verdict.Verdict,
    onSuccess: (result: unknown) => Verdict.Verdict = () => Verdict.success
  ): Effect.Effect<Verdict.Verdict> {
    const parts = this.#parts
    return Effect.suspend(() => {
      const startedAt = parts.now()
      const guarded = Effect.suspend(() => {
        if (!parts.isCurrent()) return Effect.interrupt // guard: no-heartbeat-after-detach
        return send()
      })
      const record = (verdict: Verdict.Verdict) => {
        if (!parts.isCurrent()) return Effect.interrupt
        const now = parts.now()
        if (sent !== "options" && Verdict.isSignOfLife(verdict)) parts.runtime.answered(now)
        parts.onBeat(sent, verdict, now - startedAt)
        return Effect.succeed(verdict)
      }
      return Effect.matchEffect(withDeadline(guarded, timeout), {
        onFailure: (error) => {
          const worked = sent === "ping" && this.#pinged && error.reason === "remote"
          return (error.ifSessionLost === undefined && !worked) || sent === "options"
            ? record(onFailure(error))
            : Effect.flatMap(parts.isSessionLost(error), (lost) => lost ? Effect.interrupt : record(onFailure(error)))
        },
        onSuccess: (result) => {
          this.#pinged ||= sent === "ping"
          return record(onSuccess(result))
        }
      })
    })
  }

  #conclude(verdict: Verdict.Verdict): Effect.Effect<void> {
    const { isLost, onClose, onRound, policy, state } = this.#parts
    onRound(Verdict.isSignOfLife(verdict))
    if (verdict._tag === "Success") {
      this.#failing = 0
      state.lostInARow = 0
      if (state.breaker === undefined) return Effect.void
      state.breaker = undefined
      return onClose()
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
    if (isLost(verdict.reason === "timeout", message)) state.lostInARow++
    return Effect.void
  }

  #countFailure(): void {
    const { now, runtime } = this.#parts
    if (this.#failing === 0) this.#silent = 0
    const answered = runtime.answeredAt >= (this.#failing === 0 ? this.#roundAt : this.#failedAt)
    this.#silent = answered ? 0 : this.#silent + 1
    this.#failing++
    this.#failedAt = now()
  }

  #open({ message, reason }: Verdict.Failure): Effect.Effect<void> {
    const { onOpen, policy, state } = this.#parts
    return Effect.flatMap(Random.next, (draw) => {
      const reprobeAt = this.#parts.now() + Cadence.jittered(draw, policy.keepalive.reprobeAfter)
      const again = state.breaker !== undefined
      state.breaker = { reason, message, reprobeAt }
      this.#failing = 0
      return onOpen(state.breaker, again)
    })
  }
}
