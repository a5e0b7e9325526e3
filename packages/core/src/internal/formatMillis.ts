/** A duration for people. */
import { Duration } from "effect"

/** For example `1m 30s`. */
export const formatMillis = (millis: number): string => Duration.format(Duration.millis(Math.round(millis)))
