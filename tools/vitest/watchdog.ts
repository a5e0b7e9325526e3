/**
 * Keeps watch over the event loop that tests and their runner share. It ends a process whose loop stands still, and names the test:
 * a fiber that spins never lets a timer fire, so the runner's own timeout cannot end it, and the run would hang without a word.
 * And it lets the loop turn after each test: the runner gives up on an answer that it has not read for a minute, and tests that never
 * wait, one after the other, would not let it read. No test may leave a fake time to the next ones.
 */
// oxlint-disable unicorn/require-post-message-target-origin -- a worker has no origin
import { setImmediate } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { afterEach, beforeEach } from "vitest"

/**
 * How much processor time may go by while the event loop stands still, in milliseconds: on a busy machine a process may get
 * none for long. The longest synchronous tests take a few seconds.
 */
const limit = 30_000

const watch = `
  const { parentPort, workerData } = require("node:worker_threads")
  const { writeSync } = require("node:fs")
  let test = "no test yet"
  const used = () => Object.values(process.cpuUsage()).reduce((sum, micros) => sum + micros / 1000, 0)
  let seen = used()
  parentPort.on("message", (name) => {
    seen = used()
    if (name !== undefined) test = name
  })
  setInterval(() => {
    if (used() - seen < workerData.limit) return
    writeSync(2, "\\nThe event loop has stood still for " + workerData.limit / 1000 + " s of work, in: " + test + "\\n")
    process.kill(process.pid, "SIGKILL")
  }, 1000)
`

const start = (): Worker => {
  const worker = new Worker(watch, { eval: true, workerData: { limit } })
  setInterval(() => worker.postMessage(undefined), limit / 10).unref()
  worker.unref()
  return worker
}

/** One a process, however many test files it runs. */
const shared = globalThis as { lifelineWatchdog?: Worker; lifelineTimeout?: typeof setTimeout }
const realTimeout = shared.lifelineTimeout ??= globalThis.setTimeout
const watchdog = shared.lifelineWatchdog ??= start()

beforeEach(({ task }) => watchdog.postMessage(task.file.name + " > " + task.name))

afterEach(async () => {
  if (globalThis.setTimeout !== realTimeout) {
    globalThis.setTimeout = realTimeout
    throw new Error("the test has left a setTimeout that is not the real one to those that follow in its process")
  }
  await setImmediate()
})
