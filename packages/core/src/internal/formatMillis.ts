/**
 * A duration for people.
 */
import { Duration } from "effect"

/** Milliseconds in words, for example `1m 30s`. */
export const formatMillis = (millis: number): string => Duration.format(Duration.millis(Math.round(millis)))
