import { Duration } from "effect"

export const second = 1000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

export const units = {
  ms: 1,
  s: second,
  sec: second,
  m: minute,
  min: minute,
  h: hour,
  d: day,
  milli: 1,
  millis: 1,
  second,
  seconds: second,
  minute,
  minutes: minute,
  hour,
  hours: hour,
  day,
  days: day,
  week: 7 * day,
  weeks: 7 * day
} as const

export type Unit = keyof typeof units

/** As in `"5s"`, `"10 ms"` or `"5 minutes"`. */
export type TimeText = `${number}${Unit}` | `${number} ${Unit}`

export const formatMillis = (millis: number): string => Duration.format(Duration.millis(Math.round(millis)))
