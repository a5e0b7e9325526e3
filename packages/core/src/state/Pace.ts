/** Decides when the next attempt starts. Pure. (R3) */
import type { ConnectError, ConnectReason } from "../Errors.js"
import * as Backoff from "../internal/backoff.js"
import type { Policy } from "../options/Policy.js"
import * as LostSessions from "./LostSessions.js"

type Options = Policy["reconnect"]

/** Times are milliseconds, on the Clock's scale. */
export interface Pace {
  /** Failed attempts, and connections lost before they were good. */
  readonly failures: number
  /** Failed attempts for which no call waited. (R4, R8) */
  readonly quickFailures: number
  /** In a row, for which no call waited. (R5) */
  readonly permanentFailures: number
  readonly backoff: unknown
  readonly failedSince: number | undefined
  /** Between attempts for calls, after one that reached nobody, or a router. (V10) */
  readonly unheardSpacing: number
  readonly demandedAt: number
  readonly notBefore: number
  readonly sessions: LostSessions.LostSessions
}

/** Of the time that a call waits: two attempts fit, neither just as it ends. */
const partOfWait = 0.4

const unheardReasons: ReadonlySet<ConnectReason> = new Set(["refused", "unreachable"])

const routedReasons: ReadonlySet<ConnectReason> = new Set(["notFound", "server"])

/** Of the outage so far: a returning server is found that much later. */
const partOfOutage = 0.1

const leastOfInterval = 0.25

export const begin: Pace = {
  failures: 0,
  quickFailures: 0,
  permanentFailures: 0,
  backoff: undefined,
  failedSince: undefined,
  unheardSpacing: Number.POSITIVE_INFINITY,
  demandedAt: Number.NEGATIVE_INFINITY,
  notBefore: 0,
  sessions: LostSessions.none
}

/** After a stable connection, or one that has answered a call. */
export const good = ({ notBefore, sessions }: Pace): Pace => ({ ...begin, notBefore, sessions })

/** Up to `maxRetryAfter`. (R6) */
export const asked = (pace: Pace, now: number, retryAfter: number | undefined, { maxRetryAfter }: Options): Pace =>
  retryAfter === undefined || !(retryAfter > 0)
    ? pace
    : { ...pace, notBefore: Math.max(pace.notBefore, now + Math.min(retryAfter, maxRetryAfter)) }

export const attempted = (pace: Pace, now: number, demanded: boolean): Pace => ({
  ...pace,
  demandedAt: demanded ? now : pace.demandedAt,
  sessions: LostSessions.attempted(pace.sessions, now)
})

export const replacing = (pace: Pace): Pace => ({ ...pace, sessions: { ...pace.sessions, isReplacing: true } })

export const connectionFailed = (pace: Pace): Pace => ({
  ...pace,
  failures: pace.failures + 1,
  failedSince: undefined,
  unheardSpacing: begin.unheardSpacing
})

export type AttemptVerdict = "retry" | "exhausted" | "permanent"

export interface Failed {
  readonly error: Pick<ConnectError, "permanent" | "reason">
  readonly demanded: boolean
  /** One that was up before gets all quick attempts. (R5) */
  readonly everConnected: boolean
  readonly now: number
  readonly draw: number
}

export const attemptFailed = (
  pace: Pace,
  { demanded, draw, error: { permanent, reason }, everConnected, now }: Failed,
  { demandInterval, maxAttempts }: Options
): { readonly pace: Pace; readonly verdict: AttemptVerdict } => {
  const quickFailures = pace.quickFailures + Number(!demanded)
  const permanentFailures = permanent ? pace.permanentFailures + Number(!demanded) : 0
  const failedSince = pace.failedSince ?? now
  const part = Math.max((now - failedSince) * partOfOutage, demandInterval * leastOfInterval)
  const unheardSpacing = unheardReasons.has(reason)
    ? Backoff.jittered(Math.min(part, demandInterval), 0.75, draw)
    : routedReasons.has(reason)
    ? demandInterval
    : begin.unheardSpacing
  return {
    pace: { ...pace, failures: pace.failures + 1, quickFailures, permanentFailures, failedSince, unheardSpacing },
    verdict: permanent && (!everConnected || permanentFailures >= maxAttempts)
      ? "permanent"
      : quickFailures >= maxAttempts
      ? "exhausted"
      : "retry"
  }
}

/** By itself: after the backoff, or as a probe of a Dormant backend. (R1, R4) */
export const next = (
  pace: Pace,
  now: number,
  timer: "backoff" | "probe",
  draw: number,
  options: Options
): { readonly pace: Pace; readonly at: number } => {
  if (timer === "probe") return { pace, at: earliest(pace, now + Backoff.jittered(options.dormantProbe, 0.75, draw)) }
  const { delay, state } = Backoff.next(Backoff.backoff(options), pace.backoff, draw)
  return { pace: { ...pace, backoff: state }, at: earliest(pace, now + delay) }
}

export const earliest = ({ notBefore }: Pace, at: number): number => Math.max(at, notBefore)

/** As far as a Retry-After and the bucket allow. (R6, R7) */
export const earliestSession = (pace: Pace, now: number): number =>
  earliest(pace, LostSessions.next(pace.sessions, now))

const demandSpacing = ({ failures }: Pace, { demandInterval, maxDelay }: Options): number =>
  Math.min(maxDelay, demandInterval * 2 ** Math.max(0, failures - 1))

/**
 * For a waiting call. The spacing doubles with each failure, up to `maxDelay` and less than half of the wait; not where nobody was
 * reached. (R8, R14, V10)
 */
export const nextDemanded = (pace: Pace, now: number, wait: number, options: Options): number => {
  const longest = Math.max(options.demandInterval, Math.floor(wait * partOfWait)) // guard: attempt-within-the-wait
  const spacing = Math.min(demandSpacing(pace, options), longest, pace.unheardSpacing)
  return Math.max(earliestSession(pace, now), pace.demandedAt + spacing)
}

/** No call waits for that time. (R13) */
export const nextAfterPermanent = (pace: Pace, now: number, options: Options): number =>
  Math.max(earliestSession(pace, now), now + demandSpacing(pace, options)) // guard: demand-respects-retry-after
