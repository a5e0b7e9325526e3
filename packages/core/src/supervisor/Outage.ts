/**
 * One outage of a backend: how often attempts have failed, and when the next one may be made.
 */
import { Duration, Effect, type Schedule, ScheduleDecision, ScheduleIntervals } from "effect"
import type { ConnectError, ConnectReason } from "../Errors.js"
import { backoff, jittered } from "../internal/backoff.js"
import type { Policy } from "../options/Policy.js"

/** The longest spacing, as a part of the time that a call waits: two attempts fall into it, neither of them just as it ends. */
const partOfWait = 0.4

/** Nobody has got anything to do from an attempt that failed so. */
const unheardReasons: ReadonlySet<ConnectReason> = new Set(["refused", "unreachable"])

/** The spacing of such attempts as a part of the time that the outage has lasted: a server that is back is found that much later. */
const partOfOutage = 0.1

/** The shortest spacing of such attempts, as a part of `demandInterval`. */
const leastOfInterval = 0.25

/** What a failed attempt means for the next. */
export type AttemptVerdict = "retry" | "exhausted" | "permanent"

/**
 * Counts one outage, and is the only place that decides when the next attempt is made. Owned by one supervisor; begins anew
 * when a connection has been stable or a command says so. (R3)
 */
export class Outage {
  #failures = 0
  /** Failed attempts that no call waited for. (R4, R8) */
  #quickFailures = 0
  /** Permanent failures in a row. (R5) */
  #permanentFailures = 0
  /** When the first attempt of this outage failed. */
  #failedSince: number | undefined
  /** The spacing for waiting calls where the last attempt has reached nobody. */
  #unheardSpacing: number | undefined
  #notBefore = 0
  #demandedAt = Number.NEGATIVE_INFINITY
  readonly #policy: Policy["reconnect"]
  /** Made when it is first needed: most backends never lose a connection. */
  #schedule: Schedule.Schedule<Duration.Duration> | undefined
  #scheduleState: unknown

  constructor(policy: Policy["reconnect"]) {
    this.#policy = policy
  }

  /** Failed attempts and unstable connections of this outage. */
  get failures(): number {
    return this.#failures
  }

  /** Forgets the outage: the next delay is the first again. A Retry-After holds on: it is a time, and passes by itself. */
  reset(): void {
    this.#failures = 0
    this.#quickFailures = 0
    this.#permanentFailures = 0
    this.#failedSince = undefined
    this.#unheardSpacing = undefined
    this.#demandedAt = Number.NEGATIVE_INFINITY
    this.#scheduleState = this.#schedule?.initial
  }

  /** Makes no attempt before a server's Retry-After, up to `maxRetryAfter`. (R6) */
  respectRetryAfter(now: number, retryAfter: number | undefined): void {
    if (retryAfter !== undefined && retryAfter > 0) {
      this.#notBefore = Math.max(this.#notBefore, now + Math.min(retryAfter, this.#policy.maxRetryAfter))
    }
  }

  /** The earliest time for an attempt that nothing but a Retry-After delays. */
  earliest(now: number): number {
    return Math.max(now, this.#notBefore)
  }

  /** An attempt begins because a call waits for it. */
  demanded(now: number): void {
    this.#demandedAt = now
  }

  /** A connection was lost before it was stable. */
  connectionFailed(): void {
    this.#failures++
    this.#failedSince = undefined
    this.#unheardSpacing = undefined
  }

  /** Draws the spacing that follows on a failed attempt, where it has reached nobody. (V10) */
  space(now: number, { reason }: ConnectError): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#failedSince ??= now
      this.#unheardSpacing = undefined
      if (!unheardReasons.has(reason)) return Effect.void
      const { demandInterval } = this.#policy
      const part = Math.max((now - this.#failedSince) * partOfOutage, demandInterval * leastOfInterval)
      return Effect.map(jittered(Math.min(part, demandInterval), 0.75), (spacing) => {
        this.#unheardSpacing = Duration.toMillis(spacing)
      })
    })
  }

  /** Counts a failed attempt and says what it means. A backend that was up before is given all quick attempts. (R5) */
  attemptFailed(error: ConnectError, demanded: boolean, everConnected: boolean): AttemptVerdict {
    this.#failures++
    if (!demanded) this.#quickFailures++
    if (!error.permanent) this.#permanentFailures = 0
    else if (!demanded) this.#permanentFailures++
    if (error.permanent && (!everConnected || this.#permanentFailures >= this.#policy.maxAttempts)) return "permanent"
    return this.#quickFailures >= this.#policy.maxAttempts ? "exhausted" : "retry"
  }

  /** When the next attempt of the backoff is due. */
  nextBackoff(now: number): Effect.Effect<number> {
    return Effect.suspend(() => {
      if (this.#schedule === undefined) {
        this.#schedule = backoff(this.#policy)
        this.#scheduleState = this.#schedule.initial
      }
      return Effect.map(this.#schedule.step(now, undefined, this.#scheduleState), ([state, , decision]) => {
        this.#scheduleState = state
        const at = ScheduleDecision.isContinue(decision) ? ScheduleIntervals.start(decision.intervals) : now
        return Math.max(at, this.#notBefore)
      })
    })
  }

  /** When a dormant backend is tried next. (R4) */
  nextProbe(now: number): Effect.Effect<number> {
    return Effect.map(
      jittered(this.#policy.dormantProbe, 0.75),
      (delay) => Math.max(now + Duration.toMillis(delay), this.#notBefore)
    )
  }

  /**
   * When calls that wait may have their attempt: spaced, the spacing doubling with each failure, up to `maxDelay`, and up to less than
   * half of the time that they wait, so that one of them may be the one that finds the server up again; never before a Retry-After. Where
   * nobody was reached, it does not double. How many calls wait makes no difference. (R8, R14, V10)
   */
  nextDemanded(now: number, wait: number): number {
    const longest = Math.max(this.#policy.demandInterval, Math.floor(wait * partOfWait)) // guard: attempt-within-the-wait
    const unheard = this.#unheardSpacing ?? Number.POSITIVE_INFINITY
    return Math.max(now, this.#notBefore, this.#demandedAt + Math.min(this.#demandSpacing, longest, unheard))
  }

  /** From when on a call may ask for an attempt after one that has failed for good: no call waits for that time. (R13) */
  nextAfterPermanent(now: number): number {
    return Math.max(this.#notBefore, now + this.#demandSpacing) // guard: demand-respects-retry-after
  }

  get #demandSpacing(): number {
    const { demandInterval, maxDelay } = this.#policy
    return Math.min(maxDelay, demandInterval * 2 ** Math.max(0, this.#failures - 1))
  }
}
