/**
 * Preloaded into the process that is profiled: says what CPU time it has used, and runs Node's sampling profiler, when its parent asks.
 */
import { Session } from "node:inspector/promises"

/** Microseconds between two samples. */
const interval = 100

const session = new Session()
session.connect()

/** @type {Record<string, () => Promise<unknown>>} */
const answers = {
  /** Microseconds of CPU time. */
  cpu: async () => {
    const { system, user } = process.cpuUsage()
    return system + user
  },
  start: async () => {
    await session.post("Profiler.enable")
    await session.post("Profiler.setSamplingInterval", { interval })
    await session.post("Profiler.start")
  },
  stop: async () => (await session.post("Profiler.stop")).profile
}

process.on("message", async (/** @type {string} */ question) => {
  const answer = answers[question]
  if (answer !== undefined) process.send?.({ question, answer: await answer() })
})
// It ends when it would without us.
process.channel?.unref()
