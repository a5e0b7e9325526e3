/**
 * The levels of log messages. Pure.
 */

/** The levels, from the least. */
export const levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const

/** A level of log messages. */
export type Level = (typeof levels)[number]

/** Whether something is a level. */
export const isLevel = (value: unknown): value is Level => (levels as ReadonlyArray<unknown>).includes(value)

/** How far up the level of a log message stands; what is no level stands highest, so that it is not lost. */
export const heightOf = (level: unknown): number => {
  const height = (levels as ReadonlyArray<unknown>).indexOf(level)
  return height === -1 ? levels.length : height
}
