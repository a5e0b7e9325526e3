/**
 * A length of time, as options give it.
 */

/** A duration: milliseconds, or a number with its unit, as in `"5s"`, `"10 ms"` or `"5 minutes"`. */
export type Duration = number | `${number}${DurationUnit}` | `${number} ${DurationUnit}`

/** The units of a duration that is written as text. */
export type DurationUnit =
  | "ms"
  | "s"
  | "sec"
  | "m"
  | "min"
  | "h"
  | "d"
  | "milli"
  | "millis"
  | "second"
  | "seconds"
  | "minute"
  | "minutes"
  | "hour"
  | "hours"
  | "day"
  | "days"
  | "week"
  | "weeks"
