import { Duration, Effect, Random, Schedule } from "effect"

/** Milliseconds. */
interface Growth {
  readonly initialDelay: number
  readonly factor: number
  readonly maxDelay: number
}

/** Drawn from [0.5, 1] of the capped delay, so that jitter never exceeds the cap. (R1) */
export const backoff = ({ factor, initialDelay, maxDelay }: Growth): Schedule.Schedule<Duration.Duration> =>
  Schedule.exponential(initialDelay, factor).pipe(
    Schedule.modifyDelayEffect((_, delay) =>
      Effect.map(
        Random.next,
        (draw) => Duration.millis(jittered(Math.min(Duration.toMillis(delay), maxDelay), 0.5, draw))
      )
    )
  )

/** From `least` to 1 of `millis`, by a number from 0 to 1; rounded up: a wait would else be left with less than the clock can tell. */
export const jittered = (millis: number, least: number, draw: number): number =>
  Math.ceil(millis * ((1 - least) * draw + least))
