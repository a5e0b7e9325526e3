import type { TimeText } from "@mcp-lifeline/core/types"

export type { Unit as DurationUnit } from "@mcp-lifeline/core/types"

/** Milliseconds, or a number with its unit, as in `"5s"`, `"10 ms"` or `"5 minutes"`. */
export type Duration = number | TimeText
