/**
 * At the end of every test, what it has taken is given back: connections, requests in flight, shares of limits, listeners, timers, servers,
 * child processes and files. What ends in the background has time for that; the error names what a test has left.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { beforeEach } from "vitest"
import { type Held, held, inWords, left, mayLeave } from "../../packages/testing/test/support/Holdings.js"

/** How long what ends in the background may take, in milliseconds. Only a test that leaves something waits for so long. */
const patience = 20_000

/** Their servers and clients are those of users, each in a process of its own. */
const isLeftOut = (file: string): boolean => /\/examples\//.test(file)

/** Waits until everything is given back. Fails the test if that takes too long. */
const allGivenBack = async (before: Held): Promise<void> => {
  const until = performance.now() + patience
  for (let pause = 0;; pause = Math.min(pause + 1, 50)) {
    const rest = left(before)
    if (Object.keys(rest).length === 0) return
    if (performance.now() > until) throw new Error(`the test has left: ${inWords(rest)}`)
    await sleep(pause)
  }
}

beforeEach(({ onTestFinished, task }) => {
  mayLeave()
  // Of tests that run at the same time nobody knows which holds what.
  if (task.concurrent === true || isLeftOut(task.file.filepath)) return
  const before = held()
  // What is asked for first comes last: after what the test itself does at its end. One that has failed may have left its work undone.
  onTestFinished(() => task.result?.state === "fail" ? undefined : allGivenBack(before))
})
