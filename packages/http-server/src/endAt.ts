/**
 * The end of an answer that is still open when the credentials of its client expire.
 */
import type { ServerResponse } from "node:http"

/** The longest time that a timer of Node.js waits, in milliseconds. */
const longestTimer = 2 ** 31 - 1

/**
 * Ends an answer at a time, in milliseconds since 1970. What a client reads for as long as it likes ends with its credentials, and it comes back with new ones, or does not. A call
 * that was allowed when it began goes on.
 */
export const endAt = (response: ServerResponse, at: number): void => {
  const wait = (): void => {
    const left = at - Date.now()
    if (left <= 0) return void response.end()
    timer = setTimeout(wait, Math.min(left, longestTimer))
    timer.unref()
  }
  let timer: NodeJS.Timeout | undefined
  response.once("close", () => clearTimeout(timer))
  wait()
}
