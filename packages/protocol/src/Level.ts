/** From the least. */
export const levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const

export type Level = (typeof levels)[number]

export const isLevel = (value: unknown): value is Level => (levels as ReadonlyArray<unknown>).includes(value)

/** What is no level stands highest, so that it is not lost. */
export const heightOf = (level: unknown): number => {
  const height = (levels as ReadonlyArray<unknown>).indexOf(level)
  return height === -1 ? levels.length : height
}
