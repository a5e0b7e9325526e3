import type { ServerResponse } from "node:http"

/** Of timers of Node.js, in milliseconds. */
const longestTimer = 2 ** 31 - 1

/** `at`: in milliseconds since 1970. What a client reads for as long as it likes ends with its credentials. */
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
