/** When heartbeats are due. `keepalive.schedule` replaces it. */
import { Duration, Effect, Random, Schedule, ScheduleDecision, ScheduleInterval } from "effect"
import { jittered } from "../internal/backoff.js"
import type { Found } from "../options/BackendOptions.js"
import type { Policy } from "../options/Policy.js"

/** `gridStart`: when the fleet began; `undefined` without one. (K6) */
export const schedule = (gridStart: number | undefined): Schedule.Schedule<Found, Found> =>
  Schedule.makeWithState(
    true,
    (now, found: Found, first: boolean) =>
      Effect.map(nextAt(found, first, now, gridStart), (at) => {
        return [false, found, ScheduleDecision.continueWith(ScheduleInterval.after(at))] as const
      })
  )

/** 75% to 100% of the interval after the last answer; the first 0% to 100%. */
const nextAt = (found: Found, first: boolean, now: number, gridStart: number | undefined): Effect.Effect<number> => {
  const { answeredAt: from, failures, interval, reprobeAt, retryIn } = found
  if (reprobeAt !== undefined) return Effect.succeed(reprobeAt)
  if (failures > 0) return Effect.succeed(now + Math.min(retryIn, interval))
  return Effect.map(Random.next, (draw) => {
    const earliest = from + (first ? 1 : 0.75 * interval)
    const drawn = from + (first ? Math.ceil(interval * (1 - draw)) : jittered(interval, 0.75, draw))
    return alignToGrid(drawn, earliest, interval, gridStart)
  })
}

const longest = Duration.toMillis("24 hours")

/** At most half of `idleTtl` (K15), doubled for each objection to the rate. (K19) */
export const intervalOf = (policy: Policy, doublings: number): number => {
  const { idleTtl, interval } = policy.keepalive
  const half = typeof idleTtl === "number" ? idleTtl / 2 : Number.POSITIVE_INFINITY
  const shortest = Math.min(interval, half)
  const bound = Number.isFinite(half) ? half : longest
  return Math.min(shortest * 2 ** doublings, Math.max(bound, shortest))
}

const steps = [1000, 500, 200, 100, 50, 20, 10]

/** Backends share a grid: waking the process costs more than a heartbeat. It begins with the fleet, so that processes share none. */
const alignToGrid = (drawn: number, earliest: number, interval: number, gridStart: number | undefined): number => {
  const step = steps.find((millis) => millis <= interval / 300)
  if (gridStart === undefined || step === undefined) return drawn
  const at = drawn - (drawn - gridStart) % step
  return at >= earliest ? at : drawn
}
