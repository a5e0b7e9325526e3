/** What the requests of a connection say about it. Pure; times are on the Clock's scale. */
import type { Budget } from "../port/Budget.js"

export interface InFlight {
  readonly budget: Pick<Budget, "heardAt" | "questions">
}

/** Questions in a row without an answer. */
interface Failures {
  readonly count: number
  readonly at: number
  /** Of questions that begin from then on, a failure counts. */
  readonly from: number
}

export interface Traffic {
  readonly inFlight: number
  readonly usedAt: number
  /** If it does one thing at a time. */
  readonly workedOn: InFlight | undefined
  /** When its caller gave it up, and nothing was answered since. */
  readonly abandonedAt: number | undefined
  readonly answeredAt: number
  readonly answers: number
  readonly failures: Failures
}

/** Each call makes two: by spreads, that would take it 1 us more. */
const make = (
  inFlight: number,
  usedAt: number,
  workedOn: InFlight | undefined,
  abandonedAt: number | undefined,
  answeredAt: number,
  answers: number,
  failures: Failures
): Traffic => ({ inFlight, usedAt, workedOn, abandonedAt, answeredAt, answers, failures })

const never = Number.NEGATIVE_INFINITY
const none: Failures = { count: 0, at: never, from: never }

export const begin = make(0, 0, undefined, undefined, 0, 0, none)

export const begun = (
  { abandonedAt, answeredAt, answers, failures, inFlight, usedAt, workedOn }: Traffic,
  call: InFlight | undefined
): Traffic => {
  const on = abandonedAt === undefined ? workedOn ?? call : workedOn
  return make(inFlight + 1, usedAt, on, abandonedAt, answeredAt, answers, failures)
}

export const unheard = (traffic: Traffic, now: number, call: InFlight): Traffic =>
  traffic.workedOn === call ? { ...traffic, workedOn: undefined, abandonedAt: now } : traffic

/** Without an answer. */
export const ended = (traffic: Traffic, now: number, call: InFlight | undefined): Traffic => {
  const left = call === undefined ? traffic : unheard(traffic, now, call)
  return { ...left, inFlight: left.inFlight - 1, usedAt: now }
}

/** `oldest`: of the calls in flight. `usedAt`: now, if this ends one of `inFlight`. */
export const answered = (
  { answers, failures }: Traffic,
  now: number,
  oldest: InFlight | undefined,
  inFlight: number,
  usedAt: number
): Traffic =>
  make(
    inFlight,
    usedAt,
    oldest,
    undefined,
    now,
    answers + 1,
    failures.count === 0 ? failures : { ...failures, count: 0 }
  )

/** Of failures within `pause` milliseconds, one counts. The clock may have been set back, and timers differ from it a little. (H1, H4) */
export const failed = (traffic: Traffic, at: number, now: number, pause: number): Traffic => {
  const { failures } = traffic
  if (at < failures.from && now >= failures.at) return traffic // guard: probes-count-at-a-pace
  return { ...traffic, failures: { count: failures.count + 1, at: now, from: now + 0.9 * pause } }
}

/** Calls that wait in its session become the next connection's. */
export const joined = (traffic: Traffic, { inFlight, workedOn }: Traffic): Traffic => ({
  ...traffic,
  inFlight: traffic.inFlight + inFlight,
  workedOn: traffic.workedOn ?? workedOn
})
