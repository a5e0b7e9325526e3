/**
 * What runs at the same time.
 */

/** Gives so many permits at a time, in the order in which they were asked for. @param {number} permits */
export const semaphore = (permits) => {
  let free = permits
  /** @type {Array<() => void>} */
  const waiting = []
  return {
    /** @returns {Promise<() => void>} gives the permit back, once */
    acquire: async () => {
      if (free > 0) free--
      else await new Promise((resolve) => waiting.push(() => resolve(undefined)))
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        const next = waiting.shift()
        if (next === undefined) free++
        else next()
      }
    }
  }
}
