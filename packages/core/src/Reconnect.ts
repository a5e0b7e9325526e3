/**
 * When the next attempt is made: the only place where a backoff is built.
 */
import { Duration, Effect, Random, Schedule, ScheduleDecision, ScheduleIntervals } from "effect"
import type { ConnectError } from "./Errors.js"
import type { Policy } from "./Policy.js"

/** The delays of the backoff: each drawn from [0.5, 1] of the exponential delay under its cap (R1). */
export const backoff = (policy: Policy["reconnect"]): Schedule.Schedule<Duration.Duration> =>
  Schedule.exponential(policy.initialDelay, policy.factor).pipe(
    Schedule.modifyDelayEffect((_, delay) => jittered(Math.min(Duration.toMillis(delay), policy.maxDelay), 0.5))
  )

/** Whole milliseconds: what waits until a moment would otherwise be left with less than the clock can tell. */
const jittered = (millis: number, least: number) =>
  Effect.map(Random.nextRange(least, 1), (part) => Duration.millis(Math.ceil(millis * part)))

/**
 * What is left of the patience with one outage: how often it failed, which delay comes next, and what the server and waiting
 * calls ask for. Owned by one supervisor; begins anew when a connection has proved itself or a command says so (R3).
 */
export class Budget {
  /** Failed attempts of this outage. */
  failures = 0
  /** Those that nobody waited for (R4, R8). */
  #quick = 0
  /** Incurable failures in a row (R5). */
  #incurable = 0
  #notBefore = 0
  #demandedAt = Number.NEGATIVE_INFINITY
  readonly #policy: Policy["reconnect"]
  /** Made when it is first needed: most backends never lose a connection. */
  #schedule: Schedule.Schedule<Duration.Duration> | undefined
  #step: unknown

  constructor(policy: Policy["reconnect"]) {
    this.#policy = policy
  }

  /** Forgets the outage: the next delay is the first again. A Retry-After holds on: it is a time, and passes by itself. */
  reset(): void {
    this.failures = 0
    this.#quick = 0
    this.#incurable = 0
    this.#demandedAt = Number.NEGATIVE_INFINITY
    this.#step = this.#schedule?.initial
  }

  /** Respects a Retry-After up to `maxRetryAfter` (R6). */
  hold(now: number, retryAfter: number | undefined): void {
    if (retryAfter !== undefined) {
      this.#notBefore = Math.max(this.#notBefore, now + Math.min(retryAfter, this.#policy.maxRetryAfter))
    }
  }

  /** The earliest time for an attempt that nothing but a Retry-After holds up. */
  earliest(now: number): number {
    return Math.max(now, this.#notBefore)
  }

  /** Notes that an attempt begins because a call waits for it. */
  demanded(now: number): void {
    this.#demandedAt = now
  }

  /** Counts a failed attempt and says what it means. A backend that was up before is given all quick attempts (R5). */
  failed(error: ConnectError, demanded: boolean, everConnected: boolean): "retry" | "exhausted" | "incurable" {
    this.failures++
    if (!demanded) this.#quick++
    if (!error.incurable) this.#incurable = 0
    else if (!demanded) this.#incurable++
    if (error.incurable && (!everConnected || this.#incurable >= this.#policy.maxAttempts)) return "incurable"
    return this.#quick >= this.#policy.maxAttempts ? "exhausted" : "retry"
  }

  /** When the next attempt of a running backoff is due. */
  due(now: number): Effect.Effect<number> {
    if (this.#schedule === undefined) {
      this.#schedule = backoff(this.#policy)
      this.#step = this.#schedule.initial
    }
    return Effect.map(this.#schedule.step(now, undefined, this.#step), ([step, , decision]) => {
      this.#step = step
      const at = ScheduleDecision.isContinue(decision) ? ScheduleIntervals.start(decision.intervals) : now
      return Math.max(at, this.#notBefore)
    })
  }

  /** When a dormant backend is tried next (R4). */
  dormant(now: number): Effect.Effect<number> {
    return Effect.map(
      jittered(this.#policy.dormantProbe, 0.75),
      (delay) => Math.max(now + Duration.toMillis(delay), this.#notBefore)
    )
  }

  /** When a waiting call may have its attempt: spaced, the spacing doubling with each failure, never before Retry-After. */
  demandAt(now: number): number {
    const spacing = Math.min(
      this.#policy.maxDelay,
      this.#policy.demandInterval * 2 ** Math.max(0, this.failures - 1)
    )
    return Math.max(now, this.#notBefore, this.#demandedAt + spacing)
  }
}
