/** Runs jobs beside each other, as many at once as the machine is good for: most of a play is waiting. */
import { availableParallelism } from "node:os"

/** @param {ReadonlyArray<() => Promise<void>>} jobs */
export const together = async (jobs) => {
  const queue = [...jobs]
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next()
  }
  await Promise.all(Array.from({ length: Math.min(10, 3 * availableParallelism()) }, worker))
}
