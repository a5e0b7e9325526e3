/** The formula and its Schedule; `state/Pace` decides. */
import { Duration, Effect, Random, Schedule, ScheduleDecision, ScheduleInterval } from "effect"

interface Growth {
  readonly initialDelay: number
  readonly factor: number
  readonly maxDelay: number
}

/** Gives the delays. (R1) */
export const backoff = ({ factor, initialDelay, maxDelay }: Growth): Schedule.Schedule<Duration.Duration> =>
  Schedule.makeWithState(0, (now, _, steps: number) =>
    Effect.map(Random.next, (draw) => {
      const delay = jittered(Math.min(initialDelay * factor ** steps, maxDelay), 0.5, draw)
      return [steps + 1, Duration.millis(delay), ScheduleDecision.continueWith(ScheduleInterval.after(now + delay))]
    }))

/** In milliseconds, with the state after it. `state`: `undefined` before the first. `draw`: from 0 to 1. */
export const next = (delays: Schedule.Schedule<Duration.Duration>, state: unknown, draw: number) => {
  const step = delays.step(0, undefined, state ?? delays.initial)
  const [after, delay] = Effect.runSync(Effect.withRandom(step, Random.fixed([draw])))
  return { delay: Duration.toMillis(delay), state: after as unknown }
}

/** `draw`: from 0 to 1. Rounded up: a wait would else be left with less than the clock can tell. */
export const jittered = (millis: number, least: number, draw: number): number =>
  Math.ceil(millis * ((1 - least) * draw + least))
