import type { Plugin } from "vitest/config"

/**
 * What a worker says when the runner has not confirmed within a minute how far a test is; vitest has no option for that minute. On a busy
 * machine this happened to dozens of messages of a run in which every file had its result, for which a worker waits at the end of the file.
 */
const isLate = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "message" in error
  && error.message === `[vitest-worker]: Timeout calling "onTaskUpdate"`

const heard = new WeakSet<object>()

/** Does not let a run fail because the runner was slow to confirm. Every other unhandled error fails it. */
export const lateConfirmations: Plugin = {
  name: "late-confirmations",
  configureVitest: ({ vitest: { state } }) => {
    if (heard.has(state)) return
    heard.add(state)
    const catchError = state.catchError.bind(state)
    state.catchError = (error, type) => {
      if (!isLate(error)) catchError(error, type)
    }
  }
}
