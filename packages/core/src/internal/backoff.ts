/**
 * The delays between attempts, as an Effect Schedule: exponential, jittered, under a cap.
 */
import { Duration, Effect, Random, Schedule } from "effect"

/** Which delays: in milliseconds, and by which factor each is longer than the one before. */
interface Growth {
  readonly initialDelay: number
  readonly factor: number
  readonly maxDelay: number
}

/** Each delay is drawn from [0.5, 1] of the exponential delay under its cap, so that jitter never exceeds the cap. (R1) */
export const backoff = ({ factor, initialDelay, maxDelay }: Growth): Schedule.Schedule<Duration.Duration> =>
  Schedule.exponential(initialDelay, factor).pipe(
    Schedule.modifyDelayEffect((_, delay) => jittered(Math.min(Duration.toMillis(delay), maxDelay), 0.5))
  )

/**
 * A delay drawn from [least, 1] of so many milliseconds. Whole milliseconds: whoever waits until a moment would otherwise
 * be left with less than the clock can tell.
 */
export const jittered = (millis: number, least: number): Effect.Effect<Duration.Duration> =>
  Effect.map(Random.nextRange(least, 1), (part) => Duration.millis(Math.ceil(millis * part)))
