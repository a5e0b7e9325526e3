/** The HTTP server as its parent sees it. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** @typedef {{ sessions: number, streams: number, gets: number }} Counts */

/** Starts it. `tell` resolves when it has done what it was told, with what it counts. */
export const start = async () => {
  const child = fork(fileURLToPath(new URL("server.mjs", import.meta.url)), { execArgv: [] })
  const url = String((await once(child, "message"))[0])
  return {
    url,
    /** @param {"forget" | "restart" | "notify" | "count"} what @returns {Promise<Counts>} */
    tell: async (what) => {
      const answer = once(child, "message")
      child.send(what)
      return /** @type {Counts} */ ((await answer)[0])
    },
    stop: async () => {
      const exit = once(child, "exit")
      child.disconnect()
      await exit
    }
  }
}
