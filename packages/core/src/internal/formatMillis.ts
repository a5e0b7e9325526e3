import { Duration } from "effect"

export const formatMillis = (millis: number): string => Duration.format(Duration.millis(Math.round(millis)))
