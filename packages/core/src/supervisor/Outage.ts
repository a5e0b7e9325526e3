/** One outage: how often attempts have failed, and when the next one may be made. */
import { Duration, Effect, type Schedule, ScheduleDecision, ScheduleIntervals } from "effect"
import type { ConnectError, ConnectReason } from "../Errors.js"
import { backoff, jittered } from "../internal/backoff.js"
import type { Policy } from "../options/Policy.js"

/** Of the time that a call waits: two attempts fall into it, neither just as it ends. */
const partOfWait = 0.4

/** Such an attempt has given nobody anything to do. */
const unheardReasons: ReadonlySet<ConnectReason> = new Set(["refused", "unreachable"])

/** Of the outage so far: a server that is back is found that much later. */
const partOfOutage = 0.1

/** Of `demandInterval`. */
const leastOfInterval = 0.25

export type AttemptVerdict = "retry" | "exhausted" | "permanent"

/** The only place that decides when the next attempt is made. (R3) */
export class Outage {
  #failures = 0
  /** No call waited for them. (R4, R8) */
  #quickFailures = 0
  /** In a row. (R5) */
  #permanentFailures = 0
  #failedSince: number | undefined
  /** Where the last attempt has reached nobody. */
  #unheardSpacing: number | undefined
  #notBefore = 0
  #demandedAt = Number.NEGATIVE_INFINITY
  readonly #policy: Policy["reconnect"]
  /** Made late: most backends never lose a connection. */
  #schedule: Schedule.Schedule<Duration.Duration> | undefined
  #scheduleState: unknown

  constructor(policy: Policy["reconnect"]) {
    this.#policy = policy
  }

  /** Including unstable connections. */
  get failures(): number {
    return this.#failures
  }

  /** A Retry-After holds on: it is a time, and passes by itself. */
  reset(): void {
    this.#failures = 0
    this.#quickFailures = 0
    this.#permanentFailures = 0
    this.#failedSince = undefined
    this.#unheardSpacing = undefined
    this.#demandedAt = Number.NEGATIVE_INFINITY
    this.#scheduleState = this.#schedule?.initial
  }

  /** Up to `maxRetryAfter`. (R6) */
  respectRetryAfter(now: number, retryAfter: number | undefined): void {
    if (retryAfter !== undefined && retryAfter > 0) {
      this.#notBefore = Math.max(this.#notBefore, now + Math.min(retryAfter, this.#policy.maxRetryAfter))
    }
  }

  /** Only a Retry-After delays it. */
  earliest(now: number): number {
    return Math.max(now, this.#notBefore)
  }

  demanded(now: number): void {
    this.#demandedAt = now
  }

  /** Before it was stable. */
  connectionFailed(): void {
    this.#failures++
    this.#failedSince = undefined
    this.#unheardSpacing = undefined
  }

  /** Where the attempt has reached nobody. (V10) */
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

  /** A backend that was up before gets all quick attempts. (R5) */
  attemptFailed(error: ConnectError, demanded: boolean, everConnected: boolean): AttemptVerdict {
    this.#failures++
    if (!demanded) this.#quickFailures++
    if (!error.permanent) this.#permanentFailures = 0
    else if (!demanded) this.#permanentFailures++
    if (error.permanent && (!everConnected || this.#permanentFailures >= this.#policy.maxAttempts)) return "permanent"
    return this.#quickFailures >= this.#policy.maxAttempts ? "exhausted" : "retry"
  }

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

  /** (R4) */
  nextProbe(now: number): Effect.Effect<number> {
    return Effect.map(
      jittered(this.#policy.dormantProbe, 0.75),
      (delay) => Math.max(now + Duration.toMillis(delay), this.#notBefore)
    )
  }

  /**
   * The spacing doubles with each failure, up to `maxDelay` and to less than half of the wait, so that a call may find the server up;
   * never before a Retry-After. It does not double where nobody was reached. (R8, R14, V10)
   */
  nextDemanded(now: number, wait: number): number {
    const longest = Math.max(this.#policy.demandInterval, Math.floor(wait * partOfWait)) // guard: attempt-within-the-wait
    const unheard = this.#unheardSpacing ?? Number.POSITIVE_INFINITY
    return Math.max(now, this.#notBefore, this.#demandedAt + Math.min(this.#demandSpacing, longest, unheard))
  }

  /** No call waits for that time. (R13) */
  nextAfterPermanent(now: number): number {
    return Math.max(this.#notBefore, now + this.#demandSpacing) // guard: demand-respects-retry-after
  }

  get #demandSpacing(): number {
    const { demandInterval, maxDelay } = this.#policy
    return Math.min(maxDelay, demandInterval * 2 ** Math.max(0, this.#failures - 1))
  }
}
