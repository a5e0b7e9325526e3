/** How many are set and cleared, of so many milliseconds: what is left until a deadline may be rounded. Not a spy, which vitest would put back after each file, over the real one. */
export const timersOf = async (millis: number, act: () => Promise<unknown>) => {
  const { clearTimeout, setTimeout } = globalThis
  const counts = { set: 0, cleared: 0 }
  const timers = new Set<unknown>()
  globalThis.setTimeout = ((act: () => void, after: number) => {
    const timer = setTimeout(act, after)
    if (Math.abs(after - millis) < 1) timers.add(timer)
    counts.set = timers.size
    return timer
  }) as typeof globalThis.setTimeout
  globalThis.clearTimeout = ((timer: NodeJS.Timeout) => {
    if (timers.has(timer)) counts.cleared++
    clearTimeout(timer)
  }) as typeof globalThis.clearTimeout
  try {
    await act()
  } finally {
    Object.assign(globalThis, { clearTimeout, setTimeout })
  }
  return counts
}
